import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { SPTE_LARGE, SPTE_PRESENT } from "./spte_bits.ts";
import { beginShadowWalk } from "../shadow/shadow_roots.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** 2^(-9 (level - 1)) at index `level`: what a gfn is multiplied by to find its index. Exact, being powers of two. */
const INVERSE_PAGES = [0, 1, 2 ** -9, 2 ** -18, 2 ** -27, 2 ** -36];

/** Index of a gfn's entry in a table of `level`, 0 to 511. */
export function entryIndex(gfn: Gfn, level: number): number {
  return (gfn * INVERSE_PAGES[level]) & 511;
}

/**
 * Walks the shadow tables of a vCPU, by gfn or linear page number, down to `stopLevel`, or to the first entry that
 * links no table, and leaves what it read last in `vcpu.walk` (`walk_shadow_page_get_mmio_spte`, 3.11 mmu.c). Reading
 * takes no lock: that it is one atomic act is a modelling choice, and stands for the interrupts that the kernel
 * disables meanwhile (facts sheet 3.3).
 *
 * It is called so often that its callers say that it reads the tables (`READS_TABLES`).
 *
 * Without a root the entry is 0, as from 4.10 on; 3.11 would follow the invalid root.
 */
export function walkShadow(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn, stopLevel: number = 1): void {
  const { pool, counters, layout } = mmu;
  const walk = vcpu.walk;
  let page = vcpu.root;
  let rootLevel: number = mmu.rootLevel;
  if (page < 0 || vcpu.shadow !== undefined) ({ page, level: rootLevel } = beginShadowWalk(vcpu, gfn));
  if (rootLevel === 0) {
    walk.page = NO_PAGE;
    walk.level = 0;
    walk.lo = 0;
    walk.hi = 0;
    return;
  }
  const lanes = pool.lanes(page);
  let level = rootLevel;
  for (;; level--) {
    const at = pool.laneOffset(page) | (entryIndex(gfn, level) << 1);
    const lo = lanes[at];
    const hi = lanes[at | 1];
    if (level <= stopLevel || (lo & (SPTE_LARGE | SPTE_PRESENT)) !== SPTE_PRESENT || layout.isMmio(lo, hi)) {
      walk.page = page;
      walk.index = (at >> 1) & 511;
      walk.level = level;
      walk.lo = lo;
      walk.hi = hi;
      break;
    }
    page = mmu.childOf(lo, hi);
  }
  counters.counts[Work.sptesVisited] += rootLevel - level + 1;
}
