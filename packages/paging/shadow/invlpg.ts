import type { Protocol } from "@mmu-lab/protocol";
import { linearAddress, linearPage } from "../linear_address.ts";
import type { Mmu } from "../mmu.ts";
import { SPTE_LARGE } from "../spte_bits.ts";
import { entryIndex } from "../shadow_walk.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { prefetchGpte } from "./prefetch_gptes.ts";
import { zapSpte } from "./pte_write.ts";
import { beginShadowWalk } from "./shadow_roots.ts";
import { Gpte, readGpte } from "./sync_page.ts";

const gpte = new Gpte();

/**
 * The guest forgets the translation of one address, and so must its shadow, where it may be out of date
 * (`kvm_mmu_invlpg` and `FNAME(invlpg)`, 3.11; facts sheet 6.6). Takes `mmu_lock`.
 */
export function* invalidatePage(mmu: Mmu, vcpu: VcpuMmu, gva: number): Protocol<void> {
  if (!contextOf(vcpu).nonpaging) {
    const page = linearPage(gva);
    if (vcpu.cache.gva === linearAddress(page, 0)) vcpu.cache.gva = 0;
    yield mmu.lock.acquire;
    mmu.execution.touched |= WRITES_TABLES;
    invalidateEntry(mmu, vcpu, page);
    yield mmu.lock.leave;
  }
  mmu.flushLocalTlb(vcpu);
  mmu.stats.invlpg++;
}

function invalidateEntry(mmu: Mmu, vcpu: VcpuMmu, page: number): void {
  const { pool, shadow } = mmu;
  const start = beginShadowWalk(vcpu, page);
  let table = start.page;
  for (let { level } = start; level >= 1; level--) {
    const index = entryIndex(page, level);
    const lo = pool.lo(table, index);
    const hi = pool.hi(table, index);
    if (level === 1 || (lo & SPTE_LARGE) !== 0) {
      if (!pool.isUnsync(table)) return;
      if (zapSpte(mmu, table, index)) mmu.flushRemoteTlbs();
      if (readGpte(mmu, vcpu, table, index, gpte)) prefetchGpte(mmu, vcpu, table, index, gpte, false);
      return;
    }
    if (!mmu.isPresent(lo, hi) || !shadow.unsyncChildren.has(table)) return;
    table = mmu.childOf(lo, hi);
  }
}
