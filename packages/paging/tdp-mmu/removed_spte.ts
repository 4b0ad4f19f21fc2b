import type { Mmu } from "../mmu.ts";

/**
 * Low lane of an entry that is going away: nobody may put anything in its place (`REMOVED_SPTE`, 6.1 spte.h; `FROZEN_SPTE`,
 * 6.12; facts sheet 4.9). The high lane is that of an empty entry.
 */
export const REMOVED_SPTE: number = 0x5a0;

/** Whether an entry is {@linkcode REMOVED_SPTE}. */
export function isRemoved(mmu: Mmu, lo: number, hi: number): boolean {
  return lo === REMOVED_SPTE && hi === mmu.pool.emptyHi;
}
