/**
 * Bringing shadow pages up to date (`sync_page` and its callers, 3.11 mmu.c and paging_tmpl.h; facts sheet 3.5).
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { markMmioSpte } from "../mmio/mmio_spte.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { hasFourByteGptes } from "../pages/role.ts";
import { type Mapping, setSpte } from "../pages/set_leaf.ts";
import { isHostWritable } from "../pages/spte_bits.ts";
import { LOOK_FOR_UNSYNC } from "../steps.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, dropSpte, prepareZap } from "../pages/zap.ts";
import { contextOf } from "./context_of.ts";
import { Gpte, isUsableGpte, readGpte } from "./gpte.ts";
import { rmapWriteProtect } from "./rmap.ts";
import { isValidIndirect, unlinkUnsyncPage, unsyncPagesBelow } from "./unsync.ts";

/** Pages that are synced before the lock may be given up for a moment (`KVM_PAGE_ARRAY_NR`). */
const BATCH_PAGES = 16;

const gpte = new Gpte();
const mapping: Mapping = { gfn: 0, level: 1, slot: undefined, pfn: 0, writable: false };

/** What a sync has found out, of an entry or a page. */
export const Synced: { readonly WORTHLESS: -1; readonly SAME: 0; readonly LOST: 1 } = {
  /** The guest table cannot be read, or nothing in it is shadowed. */
  WORTHLESS: -1,
  /** Nothing has gone. */
  SAME: 0,
  /** A mapping has gone, so TLBs must be flushed. */
  LOST: 1,
};

/** One of the values of {@linkcode Synced}. */
export type SyncedResult = (typeof Synced)[keyof typeof Synced];

/**
 * Makes one entry of level 1 agree with its guest entry (`FNAME(sync_spte)`, 6.12; a part of `FNAME(sync_page)` before). An
 * MMIO spte whose frame is still the same is stamped with the generation of now, and whether the frame still has no slot is
 * not asked. Under `mmu_lock`.
 */
export function syncSpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number): SyncedResult {
  const { pool, layout, shadow } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  mmu.execution.touched |= WRITES_TABLES;
  if (pool.isEmpty(lo, hi)) return Synced.SAME;
  if (!readGpte(mmu, vcpu, page, index, gpte)) return Synced.WORTHLESS;
  if (!isUsableGpte(mmu, vcpu, page, gpte)) {
    dropStale(mmu, page, index);
    return Synced.LOST;
  }
  if (layout.isMmio(lo, hi)) {
    const looks = mmu.faultRules.syncedMmioSpte === "looked-up";
    if (layout.gfnOf(lo, hi) === gpte.gfn && !(looks && mmu.slotOf(vcpu, gpte.gfn) !== undefined)) {
      markMmioSpte(mmu, vcpu, page, index, gpte.gfn, gpte.access);
    } else mmu.clearSpte(page, index);
    return Synced.SAME;
  }
  if (shadow.gfnOf(page, index) !== gpte.gfn) {
    dropStale(mmu, page, index);
    return Synced.LOST;
  }
  if (mmu.shadowRules.unchangedRights === "left-alone" && shadow.accessAt(page, index) === gpte.access) {
    return Synced.SAME;
  }
  shadow.setTranslation(page, index, gpte.gfn, gpte.access);
  mapping.gfn = gpte.gfn;
  mapping.slot = mmu.slotOf(vcpu, gpte.gfn);
  mapping.pfn = pfnOfLanes(lo, hi);
  mapping.writable = isHostWritable(mmu.bits, lo, hi);
  setSpte(mmu, page, index, mapping, 1, gpte.access, true, false);
  return Synced.SAME;
}

/** Makes a level-1 page agree with its guest table (`FNAME(sync_page)`). Under `mmu_lock`. O(512). */
function syncPage(mmu: Mmu, vcpu: VcpuMmu, page: PageId): SyncedResult {
  const { pool } = mmu;
  let present = 0;
  let result: SyncedResult = Synced.SAME;
  mmu.execution.touched |= WRITES_TABLES;
  mmu.counters.counts[Work.pagesSynced]++;
  for (let index = 0; index < 512; index++) {
    const synced = syncSpte(mmu, vcpu, page, index);
    if (synced === Synced.WORTHLESS) return synced;
    if (synced === Synced.LOST) result = synced;
    if (!pool.isEmpty(pool.lo(page, index), pool.hi(page, index))) present++;
  }
  return present === 0 && mmu.shadowRules.emptyAfterSync === "zapped" ? Synced.WORTHLESS : result;
}

/** Where only the vCPU's own TLB is flushed, those of others are left as they are until something else flushes them. */
function dropStale(mmu: Mmu, page: PageId, index: number): void {
  dropSpte(mmu, page, index);
  if (mmu.shadowRules.flushesAfterSync === "own") mmu.shadow.tlbsDirty = true;
}

/**
 * Brings a page up to date, or zaps it (`__kvm_sync_page`, 3.11; `kvm_sync_page`, 6.1).
 *
 * @param clear Whether it then counts as up to date. If not, the guest may still write its table.
 * @returns `WORTHLESS` if it was zapped.
 */
export function syncOrZap(mmu: Mmu, vcpu: VcpuMmu, page: PageId, clear: boolean): SyncedResult {
  const format = contextOf(vcpu).walk.role.format;
  const sameFormat = hasFourByteGptes(mmu.pool.role[page]) === (format.entryBytes === 4);
  if (sameFormat && clear) unlinkUnsyncPage(mmu, page);
  const result = sameFormat ? syncPage(mmu, vcpu, page) : Synced.WORTHLESS;
  if (result === Synced.WORTHLESS) prepareZap(mmu, page);
  else if (mmu.shadowRules.flushesAfterSync === "own") mmu.flushLocalTlb(vcpu);
  return result;
}

/** Brings all pages of a table up to date, since it is write-protected now (`kvm_sync_pages`). */
export function syncPages(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn): void {
  const { pool } = mmu;
  // Zapped pages stay in the hash until they are freed.
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (isValidIndirect(mmu, page, gfn) && pool.isUnsync(page)) syncOrZap(mmu, vcpu, page, true);
  }
  commitZap(mmu);
}

/**
 * Brings pages below a page up to date, at most 16, which is when the lock may be given up for a moment
 * (`mmu_sync_children`). Under `mmu_lock`.
 *
 * @returns Whether there may be more.
 */
export function syncSomeChildren(mmu: Mmu, vcpu: VcpuMmu, page: PageId): boolean {
  const batch = unsyncPagesBelow(mmu, page).slice(0, BATCH_PAGES);
  if (batch.length === 0) return false;
  let flush = false;
  for (const child of batch) if (rmapWriteProtect(mmu, vcpu.asId, mmu.pool.gfn[child])) flush = true;
  if (flush) mmu.flushRemoteTlbs();
  let lost = false;
  for (const child of batch) {
    if (mmu.pool.isUnsync(child) && syncOrZap(mmu, vcpu, child, true) === Synced.LOST) lost = true;
  }
  if (lost && mmu.zapped.length === 0 && mmu.shadowRules.flushesAfterSync === "all") mmu.flushRemoteTlbs();
  commitZap(mmu);
  return batch.length === BATCH_PAGES;
}

/** Brings all pages below a page up to date, with a lock break after every 16. Under `mmu_lock`. */
function* syncChildren(mmu: Mmu, vcpu: VcpuMmu, page: PageId): Protocol<void> {
  while (syncSomeChildren(mmu, vcpu, page)) {
    yield mmu.lock.leave;
    yield mmu.lock.acquire;
  }
}

/**
 * Brings all that a vCPU uses up to date, and forgets its MMIO address (`kvm_mmu_sync_roots`). Takes `mmu_lock`; kernels that
 * keep roots look first whether they must.
 */
export function* syncRoots(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const { shadow: context } = vcpu;
  if (mmu.shadowRules.previousRoots > 0) {
    if (context === undefined || context.nonpaging || vcpu.root === NO_PAGE) return;
    vcpu.cache.gva = 0;
    yield LOOK_FOR_UNSYNC;
    mmu.execution.touched |= READS_TABLES;
    if (context.isLongMode && !mmu.shadow.unsyncChildren.has(vcpu.root)) return;
  }
  yield mmu.lock.acquire;
  if (context !== undefined && !context.nonpaging && vcpu.root !== NO_PAGE) {
    vcpu.cache.gva = 0;
    mmu.execution.touched |= READS_TABLES;
    if (context.isLongMode) yield* syncChildren(mmu, vcpu, vcpu.root);
    else for (const root of context.paeRoots) if (root !== NO_PAGE) yield* syncChildren(mmu, vcpu, root);
  }
  yield mmu.lock.leave;
}
