import { type Protocol, Work } from "@mmu-lab/protocol";
import { KVM_MMU_INVALIDATE_ZAP_ALL_PAGES, KVM_MMU_PREPARE_ZAP_PAGE, KVM_MMU_ZAP_ALL_FAST } from "@mmu-lab/tracing";
import { countMappings } from "../kvm_stats.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId, pageOf, type SpteId } from "./page_pool.ts";
import { invalidated, isDirect, isInvalid, levelOf } from "./role.ts";
import { rmapRemove } from "../shadow/rmap.ts";
import { unlinkUnsyncPage, unsyncPagesBelow } from "../shadow/unsync.ts";
import { isLast } from "./spte_bits.ts";
import { freeRemoved } from "../tdp-mmu/tdp_mmu.ts";
import { zapAllFast } from "../tdp-mmu/roots.ts";
import { tracePage } from "../trace_page.ts";
import { WRITES_ROOTS, WRITES_TABLES } from "../touches.ts";

/** Pages zapped before the lock may be given up for a moment (`BATCH_ZAP_PAGES`). */
const BATCH_ZAP_PAGES = 10;

/**
 * Takes a shadow page out of use (`kvm_mmu_prepare_zap_page`, 3.11 and 6.1): its children and parents are unlinked; if no
 * vCPU has it as root it waits on {@linkcode Mmu.zapped} for {@linkcode commitZap}, else it lives on, invalid, until the
 * last vCPU drops it. Pages below it that may be out of date go too. Under `mmu_lock`. O(512).
 *
 * @returns How many pages went because of it; a root that is in use does not count.
 */
export function prepareZap(mmu: Mmu, page: PageId): number {
  const { pool, counters } = mmu;
  mmu.lock.assertHeld("zap a shadow page");
  mmu.execution.touched |= WRITES_TABLES;
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_PREPARE_ZAP_PAGE, page);
  mmu.stats.mmu_shadow_zapped++;
  counters.counts[Work.pagesZapped]++;
  const role = pool.role[page];
  let freed = 0;
  if (levelOf(role) > 1 && mmu.shadow.unsyncChildren.has(page)) {
    for (const child of unsyncPagesBelow(mmu, page)) {
      prepareZap(mmu, child);
      freed++;
    }
  }
  unlinkChildren(mmu, page);
  unlinkParents(mmu, page);
  if (!isDirect(role)) forgetTable(mmu, page);
  const obsolete = mmu.isObsolete(page);
  const isListed = !isInvalid(role) || mmu.pageRules.zappedRoot === "newest";
  if (pool.rootCount[page] === 0) {
    freed++;
    if (isListed) pool.unlist(page);
    mmu.zapped.push(page);
    pool.used--;
  } else {
    if (mmu.pageRules.zappedRoot === "newest") pool.moveToNewest(page);
    else pool.unlist(page);
    if (!obsolete) mmu.reloadRemoteMmus();
  }
  pool.role[page] = invalidated(role);
  mmu.execution.touched |= WRITES_ROOTS;
  return freed;
}

/** The guest table of a page is shadowed by it no more. */
function forgetTable(mmu: Mmu, page: PageId): void {
  const { pool, shadow } = mmu;
  if (!isInvalid(pool.role[page])) shadow.unaccount(pool.gfn[page], pool.role[page]);
  if (pool.isUnsync(page)) unlinkUnsyncPage(mmu, page);
  shadow.unsyncChildren.delete(page);
  shadow.floods.delete(page);
}

/** A vCPU uses a page as root no more; if it was zapped meanwhile and nobody else uses it, it goes. Under `mmu_lock`. */
export function putRoot(mmu: Mmu, root: PageId): void {
  if (--mmu.pool.rootCount[root] === 0 && isInvalid(mmu.pool.role[root])) prepareZap(mmu, root);
}

/** Frees the pages that wait, after one flush for all of them (`kvm_mmu_commit_zap_page`). Under `mmu_lock`. */
export function commitZap(mmu: Mmu): void {
  mmu.execution.touched |= WRITES_TABLES;
  if (mmu.zapped.length === 0) return;
  if (mmu.tdp !== undefined) return freeRemoved(mmu, mmu.tdp);
  mmu.flushRemoteTlbs();
  for (const page of mmu.zapped) mmu.pool.free(page);
  mmu.zapped.length = 0;
}

/**
 * Makes all shadow pages obsolete and zaps them, with a lock break after every ten (`kvm_mmu_invalidate_zap_all_pages`, 3.11,
 * and `kvm_mmu_zap_all_fast`, 6.1; facts sheet 6.7); with the TDP MMU {@linkcode zapAllFast}. Takes the lock itself.
 */
export function* zapAllPages(mmu: Mmu): Protocol<void> {
  if (mmu.tdp !== undefined) return yield* zapAllFast(mmu, mmu.tdp);
  const { trace, pool } = mmu;
  yield mmu.lock.acquire;
  if (trace.on) {
    // One event in each kernel; a kernel prints the one that it has.
    trace.emit(KVM_MMU_INVALIDATE_ZAP_ALL_PAGES, -1, mmu.validGen, pool.used);
    trace.emit(KVM_MMU_ZAP_ALL_FAST, -1, mmu.validGen, pool.used);
  }
  mmu.execution.touched |= WRITES_TABLES;
  mmu.renewValidGen();
  mmu.reloadRemoteMmus();
  yield* zapObsoletePages(mmu);
  yield mmu.lock.release;
}

/** Zaps every page in one go, the newest first, when the VM goes (`kvm_mmu_zap_all`, 6.1). Takes the lock itself. */
export function* zapAllAtEnd(mmu: Mmu): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  while (mmu.pool.newest !== NO_PAGE) prepareZap(mmu, mmu.pool.newest);
  commitZap(mmu);
  yield mmu.lock.release;
}

function* zapObsoletePages(mmu: Mmu): Protocol<void> {
  const { pool, counters } = mmu;
  let batch = 0;
  let page = pool.oldest;
  while (page !== NO_PAGE && pool.validGen[page] !== mmu.validGen) {
    counters.counts[Work.pagesVisited]++;
    if (isInvalid(pool.role[page])) {
      page = pool.newerThan(page);
      continue;
    }
    if (batch >= BATCH_ZAP_PAGES) {
      // cond_resched_lock: that somebody always waits for the lock is a modelling choice; it shows every break.
      batch = 0;
      yield mmu.lock.leave;
      yield mmu.lock.acquire;
      page = pool.oldest;
      continue;
    }
    const next = pool.newerThan(page);
    const freed = prepareZap(mmu, page);
    batch += freed;
    // The kernel begins again after each page that went; with direct pages it comes to the same, for only that one left.
    page = freed > 0 && mmu.shadow.indirectPages > 0 ? pool.oldest : next;
  }
  commitZap(mmu);
}

/** Clears a leaf (`drop_spte`), or an entry that is none any more. Under `mmu_lock`. */
export function dropSpte(mmu: Mmu, page: PageId, index: number): void {
  const { pool } = mmu;
  if (mmu.isPresent(pool.lo(page, index), pool.hi(page, index))) {
    countMappings(mmu.stats, levelOf(pool.role[page]), -1);
    if (!isDirect(pool.role[page])) rmapRemove(mmu, page, index);
  }
  mmu.clearSpte(page, index);
}

/**
 * Takes away what an entry maps or links, which is present: a mapping, or the link to a table, which may live on without
 * (`mmu_page_zap_pte`, `drop_parent_pte`). Under `mmu_lock`.
 */
export function zapPresent(mmu: Mmu, page: PageId, index: number): void {
  const { pool } = mmu;
  const level = levelOf(pool.role[page]);
  const lo = pool.lo(page, index);
  if (isLast(lo, level)) {
    dropSpte(mmu, page, index);
    if (level > 1) mmu.stats.largepages--;
  } else {
    removeParent(mmu, mmu.childOf(lo, pool.hi(page, index)), page * 512 + index);
    mmu.clearSpte(page, index);
  }
}

/** Removes one parent of a page, without touching the parent's entry. */
export function removeParent(mmu: Mmu, page: PageId, parent: SpteId): void {
  const { pool } = mmu;
  const more = pool.moreParents.get(page);
  if (pool.parent[page] === parent) {
    pool.parent[page] = more?.pop() ?? -1;
  } else if (more !== undefined) {
    more.splice(more.indexOf(parent), 1);
  }
  if (more?.length === 0) pool.moreParents.delete(page);
}

/** Adds a parent to a page. */
export function addParent(mmu: Mmu, page: PageId, parent: SpteId): void {
  const { pool } = mmu;
  if (pool.parent[page] === -1) {
    pool.parent[page] = parent;
    return;
  }
  const more = pool.moreParents.get(page);
  if (more === undefined) pool.moreParents.set(page, [parent]);
  else more.push(parent);
}

function unlinkChildren(mmu: Mmu, page: PageId): void {
  const { pool, counters, layout } = mmu;
  counters.counts[Work.sptesVisited] += 512;
  const level = levelOf(pool.role[page]);
  const indirect = !isDirect(pool.role[page]);
  const lanes = pool.lanes(page);
  const offset = pool.laneOffset(page);
  for (let index = 0; index < 512; index++) {
    const lo = lanes[offset + 2 * index];
    const hi = lanes[offset + 2 * index + 1];
    if (pool.isEmpty(lo, hi)) continue;
    if (layout.isMmio(lo, hi)) {
      counters.counts[Work.mmioSptesZapped]++;
    } else if (!isLast(lo, level)) {
      removeParent(mmu, mmu.childOf(lo, hi), page * 512 + index);
    } else {
      if (indirect) rmapRemove(mmu, page, index);
      if (level > 1) mmu.stats.largepages--;
      countMappings(mmu.stats, level, -1);
    }
    lanes[offset + 2 * index] = 0;
    lanes[offset + 2 * index + 1] = pool.emptyHi;
  }
  if (pool.mmioCount[page] > 0) mmu.pagesWithMmio--;
  pool.mmioCount[page] = 0;
}

function unlinkParents(mmu: Mmu, page: PageId): void {
  const { pool } = mmu;
  for (let parent = pool.parent[page]; parent !== -1; parent = pool.parent[page]) {
    mmu.clearSpte(pageOf(parent), parent % 512);
    mmu.counters.counts[Work.sptesVisited]++;
    removeParent(mmu, page, parent);
  }
}
