import { eptPermissionBitmap, permissionBitmap, pkruMask } from "./permissions.ts";
import { badMemoryTypes, eptReservedBits, pse36Bits, type ReservedBits, reservedBits } from "./reserved_bits.ts";
import type { GuestFormat } from "./format.ts";
import type { GuestWalkRules } from "./walk_rules.ts";

/** What decides how a guest's own tables are read (`struct kvm_mmu_role_regs`, and CPUID). What is left out is off. */
export interface PagingState {
  /** The format, by CR0.PG, CR4.PAE, CR4.LA57 and EFER.LMA. Not EPT. */
  readonly format: GuestFormat;
  /** The guest's MAXPHYADDR: 32 to 52. */
  readonly maxphyaddr: number;
  /** CR0.WP: write protection holds for the supervisor too. */
  readonly cr0Wp?: boolean;
  /** CR4.PSE: 4 MiB pages in 32-bit paging. */
  readonly cr4Pse?: boolean;
  /** CR4.SMEP: the supervisor may not execute user pages. */
  readonly cr4Smep?: boolean;
  /** CR4.SMAP: the supervisor may not access user pages. */
  readonly cr4Smap?: boolean;
  /** CR4.PKE: protection keys, which count only where the format has them. */
  readonly cr4Pke?: boolean;
  /** EFER.NX, which counts only where the format can forbid execution. */
  readonly eferNx?: boolean;
  /** CPUID: pages of 1 GiB. */
  readonly gigabytePages?: boolean;
  /** CPUID: 4 MiB pages above 4 GiB (PSE-36). */
  readonly pse36?: boolean;
  /** Whether CPUID says AMD. */
  readonly amd?: boolean;
}

/** What decides how a guest hypervisor's EPT tables are read (`kvm_init_shadow_ept_mmu`). What is left out is off. */
export interface EptState {
  /** The format: EPT. */
  readonly format: GuestFormat;
  /** The guest's MAXPHYADDR: 32 to 52. */
  readonly maxphyaddr: number;
  /** EPTP bit 6: accessed and dirty bits are kept. */
  readonly accessedDirty?: boolean;
  /** Whether the processor allows pages that can be executed and not read. */
  readonly executeOnly?: boolean;
  /** The largest page that the processor allows: level 1, 2 or 3; 1 if left out. */
  readonly largestPage?: 1 | 2 | 3;
}

/** What differs between a guest's own tables and EPT. */
interface RoleParts extends
  Pick<
    GuestRole,
    "badMemoryTypes" | "permissions" | "pkruMask" | "largestPage" | "pse36Mask" | "reportsFetch"
  > {
  readonly reserved: ReservedBits;
  readonly keepsAccessedDirty: boolean;
}

/**
 * All that a walk must know beside the tables, computed once when the guest sets a control register, as KVM does in
 * `kvm_calc_cpu_role` and `reset_guest_paging_metadata` (6.1 mmu.c).
 *
 * Its fields are declared and not defined: a field that is `undefined` first is checked at each use for what it holds.
 */
export class GuestRole {
  /** The format of the tables. */
  declare readonly format: GuestFormat;
  /** The choices of the kernel. */
  declare readonly rules: GuestWalkRules;
  /** Level of the root; see {@linkcode GuestFormat}, of which this and the next four are copies for the walk. */
  declare readonly rootLevel: number;
  /** Bits of an index. */
  declare readonly levelBits: number;
  /** Bits of which an entry that is present has one. */
  declare readonly present: number;
  /** Whether entries have 8 bytes, and not 4. */
  declare readonly eightBytes: boolean;
  /** Whether this is EPT. */
  declare readonly ept: boolean;
  /** Whether a table in a read-only memslot cannot be read; see {@linkcode GuestWalkRules.readOnlyTables}. */
  declare readonly tablesMustBeWritable: boolean;
  /** Reserved bits among 31:0, by bit 7 of the entry and level; see {@linkcode ReservedBits}. */
  declare readonly reserved: Int32Array;
  /** Reserved bits among 63:32, the same at every level. */
  declare readonly reservedHi: number;
  /** Reserved bits of a PDPTE of PAE, two lanes. */
  declare readonly pdpteReserved: Int32Array;
  /** Bits 5:0 that no EPT entry may have; nothing with other formats. */
  declare readonly badMemoryTypes: Int32Array;
  /** Who may do what; see `permissionBitmap`. */
  declare readonly permissions: Uint8Array;
  /** Which bits of a protection key count; see `pkruMask`. */
  declare readonly pkruMask: number;
  /** The highest level at which bit 7 maps a page: 1, 2 or 3 (facts sheet 6.3). Above it is reserved or ignored. */
  declare readonly largestPage: number;
  /** The accessed bit; 0 where none is kept. */
  declare readonly accessed: number;
  /** The dirty bit; 0 where none is kept. */
  declare readonly dirty: number;
  /** The bits of a 4 MiB entry, from bit 13 on, that are address bits from 32 on (`PT32_DIR_PSE36_MASK`). */
  declare readonly pse36Mask: number;
  /** Whether the error code of a fetch says that it was one. */
  declare readonly reportsFetch: boolean;

  private constructor(
    state: PagingState | EptState,
    rules: GuestWalkRules,
    parts: RoleParts,
  ) {
    const { format } = state;
    this.format = format;
    this.rules = rules;
    this.rootLevel = format.rootLevel;
    this.levelBits = format.levelBits;
    this.present = format.present;
    this.eightBytes = format.entryBytes === 8;
    this.ept = format.ept;
    this.tablesMustBeWritable = rules.readOnlyTables === "unreadable";
    this.reserved = parts.reserved.low;
    this.reservedHi = parts.reserved.high;
    this.pdpteReserved = parts.reserved.pdpte;
    this.badMemoryTypes = parts.badMemoryTypes;
    this.permissions = parts.permissions;
    this.pkruMask = parts.pkruMask;
    this.largestPage = parts.largestPage;
    this.accessed = parts.keepsAccessedDirty ? format.accessed : 0;
    this.dirty = parts.keepsAccessedDirty ? format.dirty : 0;
    this.pse36Mask = parts.pse36Mask;
    this.reportsFetch = parts.reportsFetch;
  }

  /**
   * The role of a guest that keeps its own tables.
   *
   * @throws {RangeError} If the format is EPT, or MAXPHYADDR is not from 32 to 52.
   */
  static ofPaging(state: PagingState, rules: GuestWalkRules): GuestRole {
    check(state, false);
    const { format } = state;
    return new GuestRole(state, rules, {
      reserved: reservedBits(state, rules),
      badMemoryTypes: new Int32Array(2),
      permissions: permissionBitmap(state),
      pkruMask: pkruMask(state),
      largestPage: format.rootLevel !== 2 ? 3 : state.cr4Pse ? 2 : 1,
      keepsAccessedDirty: true,
      pse36Mask: format.rootLevel === 2 ? ((1 << pse36Bits(state, rules)) - 1) << 13 : 0,
      reportsFetch: state.cr4Smep === true ||
        (state.eferNx === true && (format.noExecute || rules.fetchBit === "efer")),
    });
  }

  /**
   * The role of a guest hypervisor's EPT tables.
   *
   * @throws {RangeError} If the format is not EPT, or MAXPHYADDR is not from 32 to 52.
   */
  static ofEpt(state: EptState, rules: GuestWalkRules): GuestRole {
    check(state, true);
    return new GuestRole(state, rules, {
      reserved: eptReservedBits(state),
      badMemoryTypes: badMemoryTypes(state.executeOnly === true),
      permissions: eptPermissionBitmap(),
      pkruMask: 0,
      largestPage: 3,
      keepsAccessedDirty: state.accessedDirty === true,
      pse36Mask: 0,
      reportsFetch: false,
    });
  }
}

function check({ format, maxphyaddr }: PagingState | EptState, ept: boolean): void {
  if (format.ept !== ept) throw new RangeError(`Cannot use format ${format.name} here: it is ${ept ? "not " : ""}EPT`);
  if (!Number.isInteger(maxphyaddr) || maxphyaddr < 32 || maxphyaddr > 52) {
    throw new RangeError(`Cannot use MAXPHYADDR ${maxphyaddr}: expected 32 to 52`);
  }
}
