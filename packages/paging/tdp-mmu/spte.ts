import { markPageDirty, MEM_READONLY, type Memslot } from "@mmu-lab/memslots";
import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../page_pool.ts";
import { type SoftwareBits, SPTE_LARGE, SPTE_PRESENT, SPTE_WRITABLE } from "../spte_bits.ts";

/**
 * Low lane of an entry that is going away: nobody may put anything in its place (`REMOVED_SPTE`, 6.1 spte.h; `FROZEN_SPTE`,
 * 6.12; facts sheet 4.9). The high lane is that of an empty entry.
 */
export const REMOVED_SPTE: number = 0x5a0;

/** Whether an entry is {@linkcode REMOVED_SPTE}. */
export function isRemoved(mmu: Mmu, lo: number, hi: number): boolean {
  return lo === REMOVED_SPTE && hi === mmu.pool.emptyHi;
}

/** Whether an entry of a level maps a page, if it is present (`is_last_spte`). */
export function isLast(lo: number, level: number): boolean {
  return level === 1 || (lo & SPTE_LARGE) !== 0;
}

/** The bits that KVM keeps for itself in this format. */
export function softwareBits(mmu: Mmu): SoftwareBits {
  const { software } = mmu.bits;
  if (software === undefined) throw new RangeError(`Cannot use ${mmu.bits.name} sptes with the TDP MMU`);
  return software;
}

/** The low lane of an entry that links a table (`make_nonleaf_spte`). */
export function tableLo(mmu: Mmu, table: PageId): number {
  return addressLo(table) | mmu.bits.table | softwareBits(mmu).presentLo;
}

/** The high lane of an entry that links a table. */
export function tableHi(mmu: Mmu, table: PageId): number {
  return addressHi(table) | (mmu.bits.presentHi ?? 0);
}

/** An entry that is about to be written, as two lanes. Reused: making one allocates nothing. */
export interface NewSpte {
  /** Low lane. */
  lo: number;
  /** High lane. */
  hi: number;
}

/**
 * Makes an entry that maps memory (`make_spte`, 6.1 spte.c), and marks the page dirty if the slot logs.
 *
 * That the dirty bit is left out where the old entry was writable is meant for mappings that stay; but the kernel looks
 * at bit 1 without asking what the old entry was, and an MMIO spte has it set (facts sheet 12).
 *
 * @param oldLo Low lane of the entry that is there now.
 */
export function makeSpte(
  mmu: Mmu,
  slot: Memslot,
  gfn: number,
  level: number,
  pfn: number,
  oldLo: number,
  into: NewSpte,
): void {
  const { bits } = mmu;
  const software = softwareBits(mmu);
  let lo = SPTE_PRESENT | software.presentLo | bits.accessed | bits.executable | bits.user | bits.memoryType;
  let hi = addressHi(pfn) | (bits.presentHi ?? 0);
  if (level > 1) lo |= SPTE_LARGE;
  if ((slot.flags & MEM_READONLY) === 0) {
    lo |= software.hostWritableLo | software.mmuWritableLo | SPTE_WRITABLE;
    hi |= software.hostWritableHi | software.mmuWritableHi;
    if (!isLast(oldLo, level) || (oldLo & SPTE_WRITABLE) === 0) lo |= bits.dirty;
    markPageDirty(slot, gfn);
  }
  into.lo = lo | addressLo(pfn);
  into.hi = hi;
}
