import { ACC_EXEC, ACC_USER, ACC_WRITE, pfnOfLanes } from "@mmu-lab/spte-encoding";
import type { GuestFormat } from "./format.ts";
import type { Gfn } from "@mmu-lab/memslots";

// Numbers of this module the engine takes for constants; those of others it fetches at each use.
const EXEC = ACC_EXEC;
const WRITE = ACC_WRITE;
const USER = ACC_USER;

/** What a failed walk is: a page fault of the guest, or one of the two exits to a guest hypervisor that keeps EPT. */
export type GuestFaultKind = "page-fault" | "ept-violation" | "ept-misconfiguration";

/** A fault for the guest (`struct x86_exception`). Overwritten by the next walk that fails. */
export class GuestFault {
  /** What it is. */
  kind: GuestFaultKind = "page-fault";
  /** PFERR bits; with EPT only RSVD means something, see {@linkcode GuestFault.exitQualification}. */
  errorCode = 0;
  /** Bits 31:0 of the address that was walked, int32. */
  addressLo = 0;
  /** Bits 63:32 of the address that was walked, int32. */
  addressHi = 0;
  /** Whether it is for the hypervisor in the guest (`nested_page_fault`). */
  nested = false;
  /**
   * Exit qualification of an EPT violation: bits 2:0 what the access did, 5:3 what the entries on the way allow, 8:7 as
   * in the exit that is being served (6.1 paging_tmpl.h; facts sheet 7.4).
   */
  exitQualification = 0;

  /** Takes over what another fault says. */
  copy(from: GuestFault): void {
    this.kind = from.kind;
    this.errorCode = from.errorCode;
    this.addressLo = from.addressLo;
    this.addressHi = from.addressHi;
    this.nested = from.nested;
    this.exitQualification = from.exitQualification;
  }
}

/**
 * What is kept of each level of a walk, as places in {@linkcode GuestWalker.places}: that of level n begins at
 * `n << Place.SHIFT`. The rest follows from these and the address: to keep table, index and access of each level too made
 * a walk a fifth longer.
 */
export const Place = {
  /** Bits 31:0 of the entry. */
  PTE_LO: 0,
  /** Bits 63:32 of the entry. */
  PTE_HI: 1,
  /** Bits 31:0 of where its table really is; only with a second dimension. */
  REAL_LO: 2,
  /** Bits 63:32 of that. */
  REAL_HI: 3,
  /** Logarithm of the size of a place. */
  SHIFT: 2,
} as const;

/** Levels 1 to 5, and what names the table of level 5 above them; place 0 is for no level. */
const PLACES = 7;

/**
 * What a walk of guest tables leaves behind (`struct guest_walker`, paging_tmpl.h): one object for all walks of a vCPU,
 * overwritten by the next. What it says of levels holds from {@linkcode GuestWalker.maxLevel} down to
 * {@linkcode GuestWalker.level}.
 */
export class GuestWalker {
  /** Bits 31:0 of the address that was walked, int32. */
  addressLo = 0;
  /** Bits 63:32 of the address that was walked, int32. */
  addressHi = 0;
  /** Level of the entry read last; of the leaf if the walk succeeded. 1 with paging off. */
  level = 0;
  /** Level of the first entry read from memory: 2 with PAE, 0 with paging off. */
  maxLevel = 0;
  /** Frame that the address is in; the real one, if there is a second dimension (`walker->gfn`). */
  gfn: Gfn = 0;
  /** What leaf and entries above allow: exec 1, write 2, user 4. Without write where a write must first set the dirty bit. */
  pteAccess = 0;
  /** What was read at each level; see {@linkcode Place}. Above it what names its table: CR3, the EPTP or a PDPTE. */
  readonly places: Int32Array = new Int32Array(PLACES << Place.SHIFT);
  /** Why the walk failed. */
  readonly fault: GuestFault = new GuestFault();
  /** Copies that went to the wrong level (bug B27): low and high lane by level. */
  readonly #strays: Int32Array = new Int32Array(2 * PLACES);
  /** The levels that have such a copy, a bit each. */
  #strayLevels = 0;

  /** Begins a walk. @param tableLo Bits 31:0 of what names the first table. @param tableHi Bits 63:32. */
  begin(addressLo: number, addressHi: number, maxLevel: number, tableLo: number, tableHi: number): void {
    this.addressLo = addressLo;
    this.addressHi = addressHi;
    this.maxLevel = maxLevel;
    this.level = maxLevel + 1;
    this.#strayLevels = 0;
    const above = (maxLevel + 1) << Place.SHIFT;
    this.places[above | Place.PTE_LO] = tableLo;
    this.places[above | Place.PTE_HI] = tableHi;
  }

  /** Keeps an entry as the walk has changed it. @param stray Whether to keep it one level too high. */
  keepCopy(level: number, lo: number, hi: number, stray: boolean): void {
    if (stray) {
      this.#strayLevels |= 2 << level;
      this.#strays[2 * (level + 1)] = lo;
      this.#strays[2 * (level + 1) + 1] = hi;
    } else {
      this.places[(level << Place.SHIFT) | Place.PTE_LO] = lo;
      this.places[(level << Place.SHIFT) | Place.PTE_HI] = hi;
    }
  }

  /** Bits 31:0 of a level's entry, int32: as it was read, or as the walk left it (`ptes`). */
  pteLo(level: number): number {
    if ((this.#strayLevels >> level) & 1) return this.#strays[2 * level];
    return this.places[(level << Place.SHIFT) | Place.PTE_LO];
  }

  /** Bits 63:32 of a level's entry, int32. */
  pteHi(level: number): number {
    if ((this.#strayLevels >> level) & 1) return this.#strays[2 * level + 1];
    return this.places[(level << Place.SHIFT) | Place.PTE_HI];
  }

  /** The table of a level's entry, before a second dimension translates it (`table_gfn`). */
  tableGfn(level: number): Gfn {
    const above = (level + 1) << Place.SHIFT;
    return pfnOfLanes(this.places[above | Place.PTE_LO], this.places[above | Place.PTE_HI]);
  }

  /** Index of a level's entry in its table. @param format That of the tables. */
  pteIndex(level: number, format: GuestFormat): number {
    const { levelBits } = format;
    return linearIndex(this.addressLo, this.addressHi, 12 + (level - 1) * levelBits, levelBits);
  }

  /**
   * Guest-physical address of a level's entry, before a second dimension translates it (`pte_gpa`).
   *
   * @param level The level. @param format That of the tables.
   */
  pteGpa(level: number, format: GuestFormat): number {
    return this.tableGfn(level) * 4096 + this.pteIndex(level, format) * format.entryBytes;
  }

  /**
   * What the entries above a level's entry allow together: exec 1, write 2, user 4 (`pt_access[]` of 6.1; that of 3.11 is
   * the leaf's).
   *
   * @param level The level. @param format That of the tables.
   */
  ptAccess(level: number, format: GuestFormat): number {
    let all = -1;
    let anyHi = 0;
    for (let above = this.maxLevel; above > level; above--) {
      all &= this.places[(above << Place.SHIFT) | Place.PTE_LO];
      anyHi |= this.places[(above << Place.SHIFT) | Place.PTE_HI];
    }
    return gpteAccess(format.ept, all, anyHi);
  }
}

/**
 * Index of an address in the table of a level (`PT_INDEX`).
 *
 * @param lo Bits 31:0 of the address. @param hi Bits 63:32. @param shift Where the index begins: 12 at level 1, and
 * `levelBits` more a level. @param levelBits Bits of an index: 9 or 10.
 */
export function linearIndex(lo: number, hi: number, shift: number, levelBits: number): number {
  return (shift < 32 ? (lo >>> shift) | (hi << (32 - shift)) : hi >> (shift - 32)) & ((1 << levelBits) - 1);
}

/**
 * What entries allow together (`FNAME(gpte_access)`): user and write where all do, exec where none has NX. With EPT
 * readable stands for user.
 *
 * @param ept Whether they are EPT's. @param all The AND of their low lanes. @param anyHi The OR of their high lanes.
 */
export function gpteAccess(ept: boolean, all: number, anyHi: number): number {
  if (ept) return (all & WRITE) | ((all >> 2) & EXEC) | ((all << 2) & USER);
  return (all & (WRITE | USER)) | ((~anyHi >>> 31) & EXEC);
}
