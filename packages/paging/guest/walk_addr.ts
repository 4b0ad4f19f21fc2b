/**
 * The walk of guest tables (`FNAME(walk_addr_generic)`, paging_tmpl.h of 3.11 and 6.1; facts sheet 6.2). What differs by
 * format is data of the role.
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_ALL, ACC_EXEC, ACC_USER, ACC_WRITE } from "@mmu-lab/spte-encoding";
import { KVM_MMU_PAGETABLE_WALK, KVM_MMU_PAGING_ELEMENT, KVM_MMU_WALKER_ERROR } from "@mmu-lab/tracing";
import {
  PFERR_FETCH,
  PFERR_IMPLICIT_ACCESS,
  PFERR_PK,
  PFERR_PRESENT,
  PFERR_RSVD,
  PFERR_USER,
  PFERR_WRITE,
} from "../pferr.ts";
import { CHANGED, updateAccessedDirtyBits } from "./accessed_dirty.ts";
import type { GuestFormat } from "./format.ts";
import type { GuestRole } from "./guest_role.ts";
import type { GuestWalker } from "./guest_walker.ts";
import { NOT_SMAP } from "./permissions.ts";
import { reservedLane } from "./reserved_bits.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/** What becomes of one attempt. */
const FAILED = 0;
const DONE = 1;
const RESTART = 2;

/** Bit 7: maps a page, above level 1. Architecture. */
const PAGE_SIZE = 0x80;
/** What the walk of a table asks of a second dimension: its entries are written, to set accessed bits. KVM policy. */
const TABLE_ACCESS = PFERR_USER | PFERR_WRITE;
/** Address bits of a large page within 2^20 frames, by level and index bits: 9 a level, or 10. */
const LARGE_PAGE_FRAMES = { 9: [0, 0, 0x1ff, 0x3ffff], 10: [0, 0, 0x3ff, 0] } as const;

/**
 * Walks the guest's tables for one access, sets accessed and dirty bits as the access demands, and leaves all it has
 * found in `walker`. If an entry changes between reading it and setting a bit in it, the walk begins again.
 *
 * The linear address comes in two lanes, because 57 bits and their sign do not fit a number. That it is canonical is for
 * the caller to know.
 *
 * Emits `kvm_mmu_pagetable_walk`, then `kvm_mmu_paging_element` for each entry, `kvm_mmu_set_accessed_bit` and
 * `kvm_mmu_set_dirty_bit` for each bit set, and `kvm_mmu_walker_error` if the guest gets a fault. Counts an entry read
 * as `gptesRead`.
 *
 * @param mmu Which tables, and how. @param walker What is left behind. @param lo Bits 31:0 of the address. @param hi
 * Bits 63:32. @param access PFERR bits of the access: WRITE, USER, FETCH and IMPLICIT_ACCESS count.
 * @returns Whether the access is allowed; if not, `walker.fault` says why. O(levels).
 */
export function walkAddr(mmu: WalkMmu, walker: GuestWalker, lo: number, hi: number, access: number): boolean {
  const { trace } = mmu;
  if (trace.on) trace.emit(KVM_MMU_PAGETABLE_WALK, mmu.vcpu, lo, hi, access >>> 0);
  let outcome = RESTART;
  while (outcome === RESTART) {
    outcome = mmu.role.format.rootLevel === 0
      ? walkNothing(mmu, walker, lo, hi, access)
      : walkOnce(mmu, walker, lo, hi, access);
  }
  return outcome === DONE;
}

/** One attempt. */
function walkOnce(mmu: WalkMmu, walker: GuestWalker, addrLo: number, addrHi: number, access: number): number {
  const { role, tables, trace, nested } = mmu;
  const { format, rules, reserved, badMemoryTypes } = role;
  const { levelBits, entryBytes, present } = format;
  const { ptes, ptAccess, tableGfn, pteGpa, ptep } = walker;
  const { counts } = mmu.counters;
  const checkWritable = rules.readOnlyTables === "unreadable";
  const indexMask = (1 << levelBits) - 1;

  // What names the next table: CR3 or EPTP at first, then the entry read last.
  let lo = mmu.rootLo;
  let hi = mmu.rootHi;
  let level: number = format.rootLevel;
  walker.level = level;
  if (level === 3) {
    const at = (addrLo >>> 30) << 1;
    lo = mmu.pdptrs[at];
    hi = mmu.pdptrs[at | 1];
    if (trace.on) trace.emit(KVM_MMU_PAGING_ELEMENT, mmu.vcpu, lo, hi, level);
    if ((lo & present) === 0) return fail(mmu, walker, addrLo, addrHi, access, 0, 0);
    level = 2;
  }
  walker.maxLevel = level;

  // The AND of all low lanes, and the OR of all high ones: only NX, which forbids, is taken from these.
  let all = -1;
  let anyHi = 0;
  for (;; level--) {
    walker.level = level;
    const slot = level - 1;
    const shift = 12 + slot * levelBits;
    const index = (shift < 32 ? (addrLo >>> shift) | (addrHi << (32 - shift)) : addrHi >>> (shift - 32)) & indexMask;
    const table = (hi & 0xfffff) * 0x100000 + (lo >>> 12);
    tableGfn[slot] = table;
    pteGpa[slot] = table * 4096 + index * entryBytes;
    ptAccess[slot] = gpteAccess(format, all, anyHi);

    let real = table;
    if (nested !== undefined) {
      real = nested.translateGfn(table, TABLE_ACCESS);
      if (real < 0) {
        if (rules.nestedFault === "lost") return fail(mmu, walker, addrLo, addrHi, access, 0, all);
        walker.fault.copy(nested.fault);
        return FAILED;
      }
    }
    const at = entryBytes === 8 ? tables.read8(real, index) : tables.read4(real, index);
    if (at < 0 || (checkWritable && !tables.isWritable(at))) {
      return fail(mmu, walker, addrLo, addrHi, access, 0, all);
    }
    counts[Work.gptesRead]++;
    ptep[slot] = at;
    lo = tables.lo;
    hi = tables.hi;
    if (trace.on) trace.emit(KVM_MMU_PAGING_ELEMENT, mmu.vcpu, lo, hi, level);

    all &= lo;
    anyHi |= hi;
    if ((lo & present) === 0) return fail(mmu, walker, addrLo, addrHi, access, 0, all);
    const lane = reservedLane((lo & PAGE_SIZE) !== 0, level);
    const bad = (badMemoryTypes[(lo >> 5) & 1] >>> lo) & 1;
    if (((lo & reserved[lane]) | (hi & reserved[lane | 1]) | bad) !== 0) {
      return fail(mmu, walker, addrLo, addrHi, access, PFERR_RSVD | PFERR_PRESENT, all);
    }
    ptes[2 * slot] = lo;
    ptes[2 * slot + 1] = hi;
    if (level === 1 || ((lo & PAGE_SIZE) !== 0 && level <= role.largestPage)) break;
  }

  const pteAccess = gpteAccess(format, all, anyHi);
  const denied = permissionFault(mmu, role, pteAccess, hi, access);
  if (denied !== 0) return fail(mmu, walker, addrLo, addrHi, access, denied, all);

  const inPage = LARGE_PAGE_FRAMES[levelBits][level];
  let gfn = (hi & 0xfffff) * 0x100000 + (((lo >>> 12) & ~inPage) | ((addrLo >>> 12) & inPage));
  if (level === 2) gfn += (lo & role.pse36Mask) << 7;
  if (nested !== undefined) {
    gfn = nested.translateGfn(gfn, access);
    if (gfn < 0) {
      if (rules.nestedFault === "reported") walker.fault.copy(nested.fault);
      return FAILED;
    }
  }
  walker.gfn = gfn;

  const write = (access & PFERR_WRITE) !== 0;
  // A page that is not dirty is mapped without write access, so that the first write comes here and sets the bit.
  walker.pteAccess = !write && role.dirty !== 0 && (lo & role.dirty) === 0 ? pteAccess & ~ACC_WRITE : pteAccess;
  const used = all & role.accessed & (write ? lo >> 1 : -1);
  if (used === 0 && role.accessed !== 0) {
    const updated = updateAccessedDirtyBits(mmu, walker, write);
    if (updated < 0) return fail(mmu, walker, addrLo, addrHi, access, 0, all);
    if (updated === CHANGED) return RESTART;
  }
  return DONE;
}

/** With paging off every address is its own (`nonpaging_gva_to_gpa`), and all is allowed. */
function walkNothing(mmu: WalkMmu, walker: GuestWalker, addrLo: number, addrHi: number, access: number): number {
  const { nested } = mmu;
  let gfn: Gfn = (addrHi & 0xfffff) * 0x100000 + (addrLo >>> 12);
  walker.level = 1;
  walker.maxLevel = 0;
  if (nested !== undefined) {
    gfn = nested.translateGfn(gfn, access);
    if (gfn < 0) {
      if (mmu.role.rules.nestedFault === "reported") walker.fault.copy(nested.fault);
      return FAILED;
    }
  }
  walker.gfn = gfn;
  walker.pteAccess = ACC_ALL;
  walker.ptAccess[0] = ACC_ALL;
  return DONE;
}

/**
 * What entries allow together (`FNAME(gpte_access)`): user and write where all do, exec where none has NX. With EPT
 * readable stands for user.
 */
function gpteAccess(format: GuestFormat, all: number, anyHi: number): number {
  if (format.ept) return (all & ACC_WRITE) | ((all >> 2) & ACC_EXEC) | ((all << 2) & ACC_USER);
  return (all & (ACC_WRITE | ACC_USER)) | (anyHi >= 0 ? ACC_EXEC : 0);
}

/** The error code of an access that is not allowed, or 0 (`permission_fault`, 6.1 mmu.h; facts sheet 6.5). */
function permissionFault(mmu: WalkMmu, role: GuestRole, pteAccess: number, leafHi: number, access: number): number {
  const code = access & (PFERR_WRITE | PFERR_USER | PFERR_FETCH);
  const notSmap = mmu.rflagsAc && access < PFERR_IMPLICIT_ACCESS ? NOT_SMAP : 0;
  let error = (role.permissions[(code | notSmap) >> 1] >> pteAccess) & 1 ? PFERR_PRESENT : 0;
  if (role.pkruMask !== 0) {
    const key = (leafHi >>> 27) & 15;
    const offset = code | ((pteAccess & ACC_USER) << 1);
    if (((mmu.pkru >>> (2 * key)) & (role.pkruMask >>> offset) & 3) !== 0) error = PFERR_PRESENT | PFERR_PK;
  }
  return error;
}

/** Fills the fault. @param all The AND of the entries read, for the exit qualification. */
function fail(
  mmu: WalkMmu,
  walker: GuestWalker,
  addrLo: number,
  addrHi: number,
  access: number,
  error: number,
  all: number,
): number {
  const { role, trace } = mmu;
  const { fault } = walker;
  fault.errorCode = error | (access & (PFERR_WRITE | PFERR_USER)) | (role.reportsFetch ? access & PFERR_FETCH : 0);
  fault.addressLo = addrLo;
  fault.addressHi = addrHi;
  fault.nested = mmu.faultsAreNested;
  fault.kind = "page-fault";
  if (role.format.ept) {
    fault.kind = (error & PFERR_RSVD) !== 0 ? "ept-misconfiguration" : "ept-violation";
    fault.exitQualification = (mmu.exitQualification & 0x180) | ((all & 7) << 3) |
      ((access & PFERR_WRITE) !== 0 ? 2 : 0) | ((access & PFERR_USER) !== 0 ? 1 : 0) |
      ((access & PFERR_FETCH) !== 0 ? 4 : 0);
  }
  if (trace.on) trace.emit(KVM_MMU_WALKER_ERROR, mmu.vcpu, fault.errorCode);
  return FAILED;
}
