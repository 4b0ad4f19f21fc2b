import type { Gfn, Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { maxMappingLevel } from "../pages/max_mapping_level.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { asIdOf, isInvalid } from "../pages/role.ts";
import { isLast, SPTE_LARGE, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { WRITES_TABLES } from "../touches.ts";
import { eachEntry } from "./each_entry.ts";
import { zapAtomic } from "./map.ts";
import { exchangeSpte, setTdpSpte } from "./set_spte.ts";
import { splitHugePage } from "./split_huge_page.ts";
import { rcuReadLock, rcuReadUnlock, type TdpMmu } from "./tdp_mmu.ts";

/**
 * What a change of a slot's flags does to its mappings. Dirty logging switched on: large pages are split, write access goes.
 * Switched off: tables go that a large page could stand for.
 *
 * @param slot The slot as it is now.
 */
export function* applyFlagsToTdp(mmu: Mmu, tdp: TdpMmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquireRead;
  rcuReadLock(mmu, tdp);
  mmu.execution.touched |= WRITES_TABLES;
  const roots = tdp.roots.filter(({ page }) => isOf(mmu, page, slot) && !isInvalid(mmu.pool.role[page]));
  for (const { page } of roots) {
    if (slot.dirtyBitmap === null) yield* zapCollapsible(mmu, tdp, slot, page);
    else {
      if (tdp.rules.eagerPageSplit) splitHugePages(mmu, tdp, slot, page);
      if (mmu.pageRules.dirtyLog === "dirty-bit") clearInSlot(mmu, slot, page, mmu.bits.dirty, 1);
      clearInSlot(mmu, slot, page, SPTE_WRITABLE, mmu.pageRules.dirtyLog === "dirty-bit" ? 2 : 1);
    }
  }
  rcuReadUnlock(mmu, tdp);
  yield mmu.lock.releaseRead;
  if (slot.dirtyBitmap !== null) mmu.flushRemoteTlbs();
}

/** Lets the next write to a gfn be seen, in the 4 KiB mappings of all roots (`kvm_tdp_mmu_clear_dirty_pt_masked`). */
export function clearDirtyGfn(mmu: Mmu, tdp: TdpMmu, slot: Memslot, gfn: Gfn): void {
  const bit = mmu.pageRules.dirtyLog === "dirty-bit" ? mmu.bits.dirty : SPTE_WRITABLE;
  for (const { page } of tdp.roots) {
    if (!isOf(mmu, page, slot)) continue;
    eachEntry(mmu, page, gfn, gfn + 1, 1, (table, index, level) => {
      const lo = mmu.pool.lo(table, index);
      if (level > 1 || (lo & bit) === 0) return;
      setTdpSpte(mmu, table, index, lo & ~bit, mmu.pool.hi(table, index));
    });
  }
}

function isOf(mmu: Mmu, root: PageId, slot: Memslot): boolean {
  return asIdOf(mmu.pool.role[root]) === slot.asId;
}

/** Clears a bit in the mappings of a slot, from a level up (`wrprot_gfn_range`, `clear_dirty_gfn_range`). */
function clearInSlot(mmu: Mmu, slot: Memslot, root: PageId, bit: number, lowest: number): void {
  eachEntry(mmu, root, slot.baseGfn, slot.baseGfn + slot.npages, lowest, (page, index, level) => {
    const lo = mmu.pool.lo(page, index);
    const hi = mmu.pool.hi(page, index);
    if (!isLast(lo, level) || (lo & bit) === 0) return;
    exchangeSpte(mmu, page, index, lo, hi, lo & ~bit, hi);
  });
}

/** Gives each large page of a slot a table of mappings instead (`kvm_tdp_mmu_try_split_huge_pages`). */
function splitHugePages(mmu: Mmu, tdp: TdpMmu, slot: Memslot, root: PageId): void {
  eachEntry(mmu, root, slot.baseGfn, slot.baseGfn + slot.npages, 2, (page, index, level) => {
    const lo = mmu.pool.lo(page, index);
    if (level > 1 && (lo & SPTE_LARGE) !== 0) splitHugePage(mmu, tdp, page, index, lo, mmu.pool.hi(page, index));
  });
}

/** Zaps the tables of a slot that a large page could stand for (`kvm_tdp_mmu_zap_collapsible_sptes`). */
function* zapCollapsible(mmu: Mmu, tdp: TdpMmu, slot: Memslot, root: PageId): Protocol<void> {
  const found: [page: PageId, index: number][] = [];
  const end = slot.baseGfn + slot.npages;
  eachEntry(mmu, root, slot.baseGfn, end, 2, (page, index, level, gfn) => {
    if (level > 3 || isLast(mmu.pool.lo(page, index), level) || gfn < slot.baseGfn || gfn >= end) return;
    if (maxMappingLevel(mmu, slot, gfn) >= level) found.push([page, index]);
  });
  for (const [page, index] of found) yield* zapAtomic(mmu, tdp, page, index);
}
