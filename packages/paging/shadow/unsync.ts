/**
 * Which shadow pages may be out of date. A guest may write a table of level 1 without exits once its shadow is marked so;
 * the pages above know that there is such a page below them (3.11 mmu.c; facts sheet 6.6).
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { KVM_MMU_SYNC_PAGE, KVM_MMU_UNSYNC_PAGE } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId, pageOf, type SpteId } from "../pages/page_pool.ts";
import { isDirect, isInvalid, levelOf } from "../pages/role.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { tracePage } from "../trace_page.ts";

/** Tells all pages above a page that there is something below them (`kvm_mmu_mark_parents_unsync`). */
function markParentsUnsync(mmu: Mmu, page: PageId): void {
  const { pool } = mmu;
  if (pool.parent[page] === -1) return;
  markUnsync(mmu, pool.parent[page]);
  for (const parent of pool.moreParents.get(page) ?? []) markUnsync(mmu, parent);
}

/** Notes that below one entry there is a page that may be out of date (`mark_unsync`). */
export function markUnsync(mmu: Mmu, parent: SpteId): void {
  const { unsyncChildren } = mmu.shadow;
  const page = pageOf(parent);
  const known = unsyncChildren.get(page);
  if (known !== undefined) {
    known.add(parent % 512);
    return;
  }
  unsyncChildren.set(page, new Set([parent % 512]));
  markParentsUnsync(mmu, page);
}

/**
 * Whether a frame must stay write-protected, for it holds a shadowed table. One of level 1 need not: its pages are marked
 * instead, if they may be (`mmu_need_write_protect`, 3.11; `mmu_try_to_unsync_pages`, 6.1). Under `mmu_lock`.
 *
 * @param asId The address space whose frame it is. @param canUnsync Whether pages may be marked. @param prefetch Whether
 * nobody has asked for the write yet.
 */
export function needWriteProtect(
  mmu: Mmu,
  asId: number,
  gfn: Gfn,
  canUnsync: boolean,
  prefetch: boolean,
): boolean {
  const { pool, shadowRules } = mmu;
  if (shadowRules.writeToUpperTable === "emulated-at-once" && mmu.shadow.isTracked(gfn, asId)) return true;
  const marks = canUnsync && !(prefetch && !shadowRules.prefetchUnsyncs);
  let needUnsync = false;
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (!isValidIndirect(mmu, page, gfn)) continue;
    if (!canUnsync || levelOf(pool.role[page]) > 1) return true;
    if (pool.isUnsync(page)) continue;
    if (!marks) return true;
    needUnsync = true;
  }
  if (needUnsync) {
    for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
      if (isValidIndirect(mmu, page, gfn) && !pool.isUnsync(page)) markPage(mmu, page);
    }
  }
  return false;
}

function markPage(mmu: Mmu, page: PageId): void {
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_UNSYNC_PAGE, page);
  mmu.counters.counts[Work.pagesUnsynced]++;
  mmu.stats.mmu_unsync++;
  mmu.pool.setUnsync(page, true);
  markParentsUnsync(mmu, page);
}

/** Takes the mark from a page (`kvm_unlink_unsync_page`). What the pages above believe is put right when next asked. */
export function unlinkUnsyncPage(mmu: Mmu, page: PageId): void {
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_SYNC_PAGE, page);
  mmu.pool.setUnsync(page, false);
  mmu.stats.mmu_unsync--;
}

/** Whether a page shadows the table in a frame, and has not been zapped (`for_each_gfn_indirect_valid_sp`). */
export function isValidIndirect(mmu: Mmu, page: PageId, gfn: Gfn): boolean {
  const { pool } = mmu;
  if (pool.gfn[page] !== gfn || isDirect(pool.role[page]) || isInvalid(pool.role[page])) return false;
  return mmu.shadowRules.obsoletePages === "count" || !mmu.isObsolete(page);
}

/**
 * Collects the pages below a page that may be out of date, in the order of their entries, and forgets what is no longer
 * so (`mmu_unsync_walk`).
 */
export function unsyncPagesBelow(mmu: Mmu, page: PageId, into: PageId[] = []): PageId[] {
  const { pool, shadow, counters } = mmu;
  const marked = shadow.unsyncChildren.get(page);
  if (marked === undefined) return into;
  for (const index of [...marked].sort((a, b) => a - b)) {
    counters.counts[Work.sptesVisited]++;
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    let isSo = false;
    if (mmu.isPresent(lo, hi) && (lo & SPTE_LARGE) === 0) {
      const child = mmu.childOf(lo, hi);
      if (pool.isUnsync(child)) {
        isSo = true;
        if (!into.includes(child)) into.push(child);
      } else if (shadow.unsyncChildren.has(child)) {
        unsyncPagesBelow(mmu, child, into);
        isSo = shadow.unsyncChildren.has(child);
      }
    }
    if (!isSo) marked.delete(index);
  }
  if (marked.size === 0) shadow.unsyncChildren.delete(page);
  return into;
}
