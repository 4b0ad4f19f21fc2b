import { ACC_WRITE } from "@mmu-lab/spte-encoding";
import { Work } from "@mmu-lab/protocol";
import { hvaOf, isReadOnly } from "./map.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { accessOf, levelOf } from "./role.ts";
import { type Mapping, setLeaf } from "./set_leaf.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** Entries that one fault may fill, its own among them (`PTE_PREFETCH_NUM`), a power of two. */
export const PREFETCH_ENTRIES: number = 8;

/**
 * Maps the neighbours of a leaf that was just written, among the eight entries that it is aligned in, without waiting
 * for them to fault (`__direct_pte_prefetch`, 3.11). A run of entries that are not present is filled when it ends at one
 * that is; so before 6.1 the run that reaches the end of the eight is never filled. A run stops everything if it does not lie
 * in one slot. An MMIO spte counts as not present and may be overwritten (facts sheet 3.5). Without an accessed bit KVM
 * could not tell used from prefetched pages, and does not prefetch.
 */
export function prefetch(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number): void {
  const first = index & ~(PREFETCH_ENTRIES - 1);
  let start = -1;
  for (let at = first; at < first + PREFETCH_ENTRIES; at++) {
    mmu.counters.counts[Work.sptesVisited]++;
    if (at === index || mmu.isPresent(mmu.pool.lo(page, at), mmu.pool.hi(page, at))) {
      if (start === -1) continue;
      if (!prefetchRun(mmu, vcpu, page, start, at)) return;
      start = -1;
    } else if (start === -1) start = at;
  }
  if (start !== -1 && mmu.pageRules.prefetchesLastRun) prefetchRun(mmu, vcpu, page, start, first + PREFETCH_ENTRIES);
}

/** Maps entries `start` to `end - 1` (`direct_pte_prefetch_many`); false if they cannot all be mapped. */
function prefetchRun(mmu: Mmu, vcpu: VcpuMmu, page: PageId, start: number, end: number): boolean {
  const { pool, host } = mmu;
  const gfn = pool.gfn[page] + start;
  const access = accessOf(pool.role[page]);
  const slot = mmu.slotOf(vcpu, gfn);
  const mayWrite = (access & ACC_WRITE) !== 0;
  if (slot === undefined || slot.invalid || (mayWrite && (slot.dirtyBitmap !== null || isReadOnly(slot)))) return false;
  if (slot.baseGfn + slot.npages - gfn < end - start) return false;
  for (let at = start; at < end; at++) {
    const target = gfn + (at - start);
    prefetched.gfn = target;
    prefetched.slot = slot;
    prefetched.pfn = host.pfn(hvaOf(slot, target));
    setLeaf(mmu, vcpu, page, at, prefetched, levelOf(pool.role[page]), access, true, false);
  }
  return true;
}

const prefetched: Mapping = { gfn: 0, level: 1, slot: undefined, pfn: 0, writable: true };
