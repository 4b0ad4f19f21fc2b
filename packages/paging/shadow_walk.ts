import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { SPTE_LARGE } from "./spte_bits.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** 2^(-9 (level - 1)) at index `level`: what a gfn is multiplied by to find its index. Exact, being powers of two. */
const INVERSE_PAGES = [0, 1, 2 ** -9, 2 ** -18, 2 ** -27, 2 ** -36];

/** Index of a gfn's entry in a table of `level`, 0 to 511. */
export function entryIndex(gfn: Gfn, level: number): number {
  return (gfn * INVERSE_PAGES[level]) & 511;
}

/**
 * Walks the shadow tables of a vCPU down to `stopLevel`, or to the first entry that links no table, and leaves what it
 * read last in `vcpu.walk` (`walk_shadow_page_get_mmio_spte`, 3.11 mmu.c). Reading takes no lock: that it is one atomic
 * act is a modelling choice, and stands for the interrupts that the kernel disables meanwhile (facts sheet 3.3).
 *
 * Without a root the entry is 0, as from 4.10 on; 3.11 would follow the invalid root.
 */
export function walkShadow(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn, stopLevel: number = 1): void {
  const { pool, counters } = mmu;
  const walk = vcpu.walk;
  let page = vcpu.root;
  walk.page = page;
  walk.level = 0;
  walk.lo = 0;
  walk.hi = 0;
  if (page === NO_PAGE) return;
  for (let level: number = mmu.rootLevel;; level--) {
    const index = entryIndex(gfn, level);
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    counters.counts[Work.sptesVisited]++;
    walk.page = page;
    walk.index = index;
    walk.level = level;
    walk.lo = lo;
    walk.hi = hi;
    if (level <= stopLevel || (lo & SPTE_LARGE) !== 0 || !mmu.isPresent(lo, hi)) return;
    page = mmu.childOf(lo, hi);
  }
}
