/**
 * The limit of shadow pages, and which go when there are too many (3.11 and 6.1 mmu.c; facts sheet 6.8).
 *
 * @module
 */
import type { Mmu } from "../mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import { commitZap, prepareZap } from "./zap.ts";

/** Free pages below which a fault makes room first (`KVM_MIN_FREE_MMU_PAGES`). */
const MIN_FREE_PAGES = 5;
/** Free pages that it then makes (`KVM_REFILL_PAGES`). */
const REFILL_PAGES = 25;

/**
 * Makes room for the pages that a fault may need (`make_mmu_pages_available`, 3.11 and 6.1): when fewer than 5 are left, the
 * oldest go until 25 are. Under `mmu_lock`.
 */
export function makePagesAvailable(mmu: Mmu): void {
  const { pool, stats } = mmu;
  mmu.execution.touched |= READS_TABLES;
  if (mmu.maxPages - pool.used >= MIN_FREE_PAGES) return;
  if (mmu.pageRules.reclaim === "oldest-but-roots") {
    zapOldestButRoots(mmu, REFILL_PAGES - Math.max(0, mmu.maxPages - pool.used));
    return;
  }
  while (mmu.maxPages - pool.used < REFILL_PAGES && zapOldest(mmu)) stats.mmu_recycled++;
  commitZap(mmu);
}

/**
 * Sets how many shadow pages the VM may have, and zaps the oldest until it has no more (`kvm_mmu_change_mmu_pages`, 3.11 and
 * 6.1). Under `mmu_lock`.
 */
export function changeMaxPages(mmu: Mmu, goal: number): void {
  const { pool } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  // Pages of the TDP MMU are not limited.
  if (mmu.tdp === undefined && pool.used > goal) {
    if (mmu.pageRules.reclaim === "oldest-but-roots") zapOldestButRoots(mmu, pool.used - goal);
    else while (pool.used > goal && zapOldest(mmu));
  }
  commitZap(mmu);
  mmu.maxPages = Math.max(goal, pool.used);
}

/** Zaps the oldest page (`prepare_zap_oldest_mmu_page`); false if that is the end of it. Under `mmu_lock`. */
export function zapOldest(mmu: Mmu): boolean {
  if (mmu.pool.oldest === NO_PAGE) return false;
  return prepareZap(mmu, mmu.pool.oldest) > 0 || mmu.pageRules.reclaim === "oldest";
}

/**
 * Zaps the oldest pages that no vCPU has as root, until so many have gone (`kvm_mmu_zap_oldest_mmu_pages`, 6.1). Under
 * `mmu_lock`.
 *
 * @returns How many have gone; more than asked for if children went with one.
 */
export function zapOldestButRoots(mmu: Mmu, pages: number): number {
  const { pool } = mmu;
  let zapped = 0;
  for (let page = pool.oldest; page !== NO_PAGE && zapped < pages;) {
    const newer = pool.newerThan(page);
    if (pool.rootCount[page] > 0) {
      page = newer;
      continue;
    }
    const gone = prepareZap(mmu, page);
    zapped += gone;
    // Its children went with it, and the next may have been one.
    page = gone > 1 ? pool.oldest : newer;
  }
  mmu.stats.mmu_recycled += zapped;
  commitZap(mmu);
  return zapped;
}
