import type { Protocol } from "@mmu-lab/protocol";
import { linearAddress, linearPage } from "../linear_address.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { isLast } from "../pages/spte_bits.ts";
import { entryIndex } from "../pages/shadow_walk.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { prefetchGpte } from "./prefetch_gptes.ts";
import { zapSpte } from "./pte_write.ts";
import { beginShadowWalk } from "./shadow_roots.ts";
import { Gpte, readGpte } from "./gpte.ts";
import { Synced, syncSpte } from "./sync_page.ts";

const gpte = new Gpte();

/**
 * The guest forgets the translation of one address, and so must its shadow, where it may be out of date
 * (`kvm_mmu_invlpg` and `FNAME(invlpg)`, 3.11; facts sheet 6.6), in the tables of all roots that the vCPU keeps. Takes
 * `mmu_lock`, for each root anew.
 */
export function* invalidatePage(mmu: Mmu, vcpu: VcpuMmu, gva: number): Protocol<void> {
  const context = contextOf(vcpu);
  if (!context.nonpaging) {
    const page = linearPage(gva);
    yield* invalidateAt(mmu, vcpu, page, vcpu.root);
    for (const kept of context.previousRoots) {
      if (kept.page !== NO_PAGE) yield* invalidateAt(mmu, vcpu, page, kept.page);
    }
  }
  mmu.flushLocalTlb(vcpu);
  mmu.stats.invlpg++;
}

/** Forgets what the tables of one root say of an address, and the MMIO page there. @param page Linear page number. */
export function* invalidateAt(mmu: Mmu, vcpu: VcpuMmu, page: number, root: PageId): Protocol<void> {
  if (vcpu.cache.gva === linearAddress(page, 0)) vcpu.cache.gva = 0;
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  invalidateEntry(mmu, vcpu, page, root);
  yield mmu.lock.leave;
}

function invalidateEntry(mmu: Mmu, vcpu: VcpuMmu, page: number, root: PageId): void {
  const { pool, shadow } = mmu;
  const start = beginShadowWalk(vcpu, page);
  let table = root === vcpu.root ? start.page : root;
  for (let { level } = start; level >= 1; level--) {
    const index = entryIndex(page, level);
    const lo = pool.lo(table, index);
    const hi = pool.hi(table, index);
    if (isLast(lo, level)) {
      if (pool.isUnsync(table)) forgetEntry(mmu, vcpu, table, index);
      return;
    }
    if (!mmu.isPresent(lo, hi) || !shadow.unsyncChildren.has(table)) return;
    table = mmu.childOf(lo, hi);
  }
}

/** Of an entry of level 1 that may be out of date: what it is now, or nothing. */
function forgetEntry(mmu: Mmu, vcpu: VcpuMmu, table: PageId, index: number): void {
  if (mmu.shadowRules.invalidatedEntry === "synced") {
    const synced = syncSpte(mmu, vcpu, table, index);
    if (synced === Synced.WORTHLESS) zapSpte(mmu, table, index);
    if (synced !== Synced.SAME) mmu.flushRemoteTlbs();
    return;
  }
  if (zapSpte(mmu, table, index)) mmu.flushRemoteTlbs();
  if (readGpte(mmu, vcpu, table, index, gpte)) prefetchGpte(mmu, vcpu, table, index, gpte, false);
}
