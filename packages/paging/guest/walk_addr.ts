/**
 * The walk of guest tables (`FNAME(walk_addr_generic)`, paging_tmpl.h of 3.11 and 6.1; facts sheet 6.2). What differs by
 * format is data of the role.
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_ALL, ACC_USER, ACC_WRITE, addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { KVM_MMU_PAGETABLE_WALK, KVM_MMU_PAGING_ELEMENT, KVM_MMU_WALKER_ERROR } from "@mmu-lab/tracing";
import {
  PFERR_FETCH,
  PFERR_IMPLICIT_ACCESS,
  PFERR_PK,
  PFERR_PRESENT,
  PFERR_RSVD,
  PFERR_USER,
  PFERR_WRITE,
} from "../fault/pferr.ts";
import { CHANGED, updateAccessedDirtyBits } from "./accessed_dirty.ts";
import type { GuestRole } from "./guest_role.ts";
import { gpteAccess, type GuestWalker, linearIndex, Place } from "./guest_walker.ts";
import { NOT_SMAP } from "./permissions.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/** What becomes of one attempt. */
const FAILED = 0;
const DONE = 1;
const RESTART = 2;

/** Bit 7: maps a page, above level 1. Architecture. */
const PAGE_SIZE = 0x80;
// Numbers of this module the engine takes for constants; those of others it fetches at each use.
const WRITE = ACC_WRITE;
const USER = ACC_USER;
const BY_WRITE = PFERR_WRITE;
const BY_USER = PFERR_USER;
const BY_FETCH = PFERR_FETCH;
const PRESENT = PFERR_PRESENT;
const GUEST_WALKS = Work.guestWalks;
const GPTES_READ = Work.gptesRead;
const PLACE_SHIFT = Place.SHIFT;
const PTE_LO = Place.PTE_LO;
const PTE_HI = Place.PTE_HI;
/** What the walk of a table asks of a second dimension: its entries are written, to set accessed bits. KVM policy. */
const TABLE_ACCESS = PFERR_USER | PFERR_WRITE;

/**
 * Walks the guest's tables for one access, sets accessed and dirty bits as the access demands, and leaves all it has
 * found in `walker`. If an entry changes between reading it and setting a bit in it, the walk begins again.
 *
 * The linear address comes in two lanes, because 57 bits and their sign do not fit a number. That it is canonical is for
 * the caller to know.
 *
 * Emits `kvm_mmu_pagetable_walk`, then `kvm_mmu_paging_element` for each entry, `kvm_mmu_set_accessed_bit` and
 * `kvm_mmu_set_dirty_bit` for each bit set, and `kvm_mmu_walker_error` if the guest gets a fault. Counts itself as one of
 * `guestWalks`, and an entry read as one of `gptesRead`.
 *
 * @param mmu Which tables, and how. @param walker What is left behind. @param lo Bits 31:0 of the address. @param hi
 * Bits 63:32. @param access PFERR bits of the access: WRITE, USER, FETCH and IMPLICIT_ACCESS count.
 * @returns Whether the access is allowed; if not, `walker.fault` says why. O(levels).
 */
export function walkAddr(mmu: WalkMmu, walker: GuestWalker, lo: number, hi: number, access: number): boolean {
  const { trace, counters } = mmu;
  if (trace.on) trace.emit(KVM_MMU_PAGETABLE_WALK, mmu.vcpu, lo, hi, access >>> 0);
  counters.counts[GUEST_WALKS]++;
  let outcome = RESTART;
  while (outcome === RESTART) {
    outcome = mmu.role.rootLevel === 0
      ? walkNothing(mmu, walker, lo, hi, access)
      : walkOnce(mmu, walker, lo, hi, access);
    counters.counts[GPTES_READ] += walker.maxLevel - walker.level + 1;
  }
  return outcome === DONE;
}

/** One attempt. */
function walkOnce(mmu: WalkMmu, walker: GuestWalker, linearLo: number, linearHi: number, access: number): number {
  const { role, tables, nested } = mmu;
  const { reserved } = role;
  const { places } = walker;
  // With `| 0` and `=== true` the engine knows once what it would otherwise ask at each level.
  const addrLo = linearLo | 0;
  const addrHi = linearHi | 0;
  const levelBits = role.levelBits | 0;
  const present = role.present | 0;
  const reservedHi = role.reservedHi | 0;
  const largestPage = role.largestPage | 0;
  const eightBytes = role.eightBytes === true;
  // What few walks need is asked for with one question a level.
  const special = role.ept || role.tablesMustBeWritable || nested !== undefined || mmu.trace.on === true;

  // What names the next table: CR3 or EPTP at first, then the entry read last.
  let lo = mmu.rootLo | 0;
  let hi = mmu.rootHi | 0;
  let level = role.rootLevel | 0;
  if (level === 3) {
    const at = (addrLo >>> 30) << 1;
    lo = mmu.pdptrs[at];
    hi = mmu.pdptrs[at | 1];
    level = 2;
    walker.begin(addrLo, addrHi, level, lo, hi);
    if (mmu.trace.on) mmu.trace.emit(KVM_MMU_PAGING_ELEMENT, mmu.vcpu, lo, hi, 3);
    if ((lo & present) === 0) return fail(mmu, walker, access, 0, 0);
  } else walker.begin(addrLo, addrHi, level, lo, hi);

  // The AND of all low lanes, and the OR of all high ones: only NX, which forbids, is taken from these.
  let all = -1;
  let anyHi = 0;
  let shift = 12 + Math.imul(level - 1, levelBits);
  for (;; level--) {
    const index = linearIndex(addrLo, addrHi, shift, levelBits);
    const table = special ? findTable(mmu, walker, level, lo, hi) : tables.find(lo, hi);
    if (table < 0) {
      return table === UNTRANSLATED ? failNested(mmu, walker, access, all) : fail(mmu, walker, access, 0, all);
    }
    const { lanes } = tables;
    if (eightBytes) {
      const at = table | (index << 1);
      lo = lanes[at];
      hi = lanes[at | 1];
    } else {
      lo = lanes[table | index];
      hi = 0;
    }
    const place = level << PLACE_SHIFT;
    places[place | PTE_LO] = lo;
    places[place | PTE_HI] = hi;
    walker.level = level;
    if (special && mmu.trace.on) mmu.trace.emit(KVM_MMU_PAGING_ELEMENT, mmu.vcpu, lo, hi, level);

    all &= lo;
    anyHi |= hi;
    if ((lo & present) === 0) return fail(mmu, walker, access, 0, all);
    const bad = (lo & reserved[((lo & PAGE_SIZE) >> 4) | level]) | (hi & reservedHi);
    if (bad !== 0 || (special && isBadMemoryType(role, lo))) {
      return fail(mmu, walker, access, PFERR_RSVD | PRESENT, all);
    }
    if (level === 1 || ((lo & PAGE_SIZE) !== 0 && level <= largestPage)) break;
    shift -= levelBits;
  }

  const pteAccess = gpteAccess(role.ept, all, anyHi);
  const denied = permissionFault(mmu, role, pteAccess, hi, access);
  if (denied !== 0) return fail(mmu, walker, access, denied, all);

  const inPage = (1 << (shift - 12)) - 1;
  let gfn = (hi & 0xfffff) * 0x100000 + (((lo >>> 12) & ~inPage) | ((addrLo >>> 12) & inPage));
  if (level === 2) gfn += (lo & role.pse36Mask) << 7;
  if (nested !== undefined) {
    gfn = nested.translateGfn(gfn, access);
    if (gfn < 0) {
      if (role.rules.nestedFault === "reported") walker.fault.copy(nested.fault);
      return FAILED;
    }
  }
  walker.gfn = gfn;

  const { accessed, dirty } = role;
  const write = (access & BY_WRITE) !== 0;
  // A page that is not dirty is mapped without write access, so that the first write comes here and sets the bit.
  walker.pteAccess = !write && dirty !== 0 && (lo & dirty) === 0 ? pteAccess & ~WRITE : pteAccess;
  if (accessed !== 0 && (all & accessed & (write ? lo >> 1 : -1)) === 0) {
    const updated = updateAccessedDirtyBits(mmu, walker, write);
    if (updated < 0) return fail(mmu, walker, access, 0, all);
    if (updated === CHANGED) return RESTART;
  }
  return DONE;
}

/** No memory, or none that will do. */
const UNREADABLE = -1;
/** The second dimension has a fault. */
const UNTRANSLATED = -2;

/** Finds a table where there may be a second dimension, or memory that must be writable (`FNAME(walk_addr_generic)`). */
function findTable(mmu: WalkMmu, walker: GuestWalker, level: number, tableLo: number, tableHi: number): number {
  const { role, tables, nested } = mmu;
  let lo = tableLo;
  let hi = tableHi;
  if (nested !== undefined) {
    const real = nested.translateGfn(pfnOfLanes(lo, hi), TABLE_ACCESS);
    if (real < 0) return UNTRANSLATED;
    lo = addressLo(real);
    hi = addressHi(real);
    walker.places[(level << PLACE_SHIFT) | Place.REAL_LO] = lo;
    walker.places[(level << PLACE_SHIFT) | Place.REAL_HI] = hi;
  }
  const table = tables.find(lo, hi);
  return role.tablesMustBeWritable && table >= 0 && !tables.isWritable(lo, hi) ? UNREADABLE : table;
}

/** A table has no translation: the nested fault, or, by the rule of 3.11, one of the guest that says nothing. */
function failNested(mmu: WalkMmu, walker: GuestWalker, access: number, all: number): number {
  const { nested, role } = mmu;
  if (nested === undefined || role.rules.nestedFault === "lost") return fail(mmu, walker, access, 0, all);
  walker.fault.copy(nested.fault);
  return FAILED;
}

/** Whether bits 5:0 of an EPT entry are a combination that must not be (`FNAME(is_bad_mt_xwr)`). */
export function isBadMemoryType(role: GuestRole, lo: number): boolean {
  return ((role.badMemoryTypes[(lo >> 5) & 1] >>> lo) & 1) !== 0;
}

/** With paging off every address is its own (`nonpaging_gva_to_gpa`), and all is allowed. */
function walkNothing(mmu: WalkMmu, walker: GuestWalker, addrLo: number, addrHi: number, access: number): number {
  const { nested } = mmu;
  let gfn: Gfn = (addrHi & 0xfffff) * 0x100000 + (addrLo >>> 12);
  walker.begin(addrLo, addrHi, 0, 0, 0);
  if (nested !== undefined) {
    gfn = nested.translateGfn(gfn, access);
    if (gfn < 0) {
      if (mmu.role.rules.nestedFault === "reported") walker.fault.copy(nested.fault);
      return FAILED;
    }
  }
  walker.gfn = gfn;
  walker.pteAccess = ACC_ALL;
  return DONE;
}

/** The error code of an access that is not allowed, or 0 (`permission_fault`, 6.1 mmu.h; facts sheet 6.5). */
function permissionFault(mmu: WalkMmu, role: GuestRole, pteAccess: number, leafHi: number, access: number): number {
  const code = access & (BY_WRITE | BY_USER | BY_FETCH);
  const notSmap = mmu.rflagsAc && access < PFERR_IMPLICIT_ACCESS ? NOT_SMAP : 0;
  let error = (role.permissions[(code | notSmap) >> 1] >> pteAccess) & PRESENT;
  if (role.pkruMask !== 0) {
    const key = (leafHi >>> 27) & 15;
    const offset = code | ((pteAccess & USER) << 1);
    if (((mmu.pkru >>> (2 * key)) & (role.pkruMask >>> offset) & 3) !== 0) error = PRESENT | PFERR_PK;
  }
  return error;
}

/** Fills the fault. @param all The AND of the entries read, for the exit qualification. */
function fail(mmu: WalkMmu, walker: GuestWalker, access: number, error: number, all: number): number {
  const { role, trace } = mmu;
  const { fault } = walker;
  fault.errorCode = error | (access & (BY_WRITE | BY_USER)) | (role.reportsFetch ? access & BY_FETCH : 0);
  fault.addressLo = walker.addressLo;
  fault.addressHi = walker.addressHi;
  fault.nested = mmu.faultsAreNested;
  fault.kind = "page-fault";
  if (role.ept) {
    fault.kind = (error & PFERR_RSVD) !== 0 ? "ept-misconfiguration" : "ept-violation";
    fault.exitQualification = (mmu.exitQualification & 0x180) | ((all & 7) << 3) |
      ((access & BY_WRITE) !== 0 ? 2 : 0) | ((access & BY_USER) !== 0 ? 1 : 0) | ((access & BY_FETCH) !== 0 ? 4 : 0);
  }
  if (trace.on) trace.emit(KVM_MMU_WALKER_ERROR, mmu.vcpu, fault.errorCode);
  return FAILED;
}
