import { type Gfn, pagesPerEntry } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { levelOf } from "../pages/role.ts";
import { isLast } from "../pages/spte_bits.ts";

/**
 * Visits the present entries that cover gfns from `start` to `end`, excluded, down to `lowest`, from the top
 * (`for_each_tdp_pte_min_level`). What is visited may be changed by the visit.
 */
export function eachEntry(
  mmu: Mmu,
  page: PageId,
  start: Gfn,
  end: Gfn,
  lowest: number,
  visit: (page: PageId, index: number, level: number, gfn: Gfn) => void,
): void {
  const { pool } = mmu;
  const level = levelOf(pool.role[page]);
  const pages = pagesPerEntry(level);
  const first = Math.max(0, Math.floor((start - pool.gfn[page]) / pages));
  const last = Math.min(511, Math.floor((end - 1 - pool.gfn[page]) / pages));
  for (let index = first; index <= last; index++) {
    mmu.counters.counts[Work.sptesVisited]++;
    if (!mmu.isPresent(pool.lo(page, index), pool.hi(page, index))) continue;
    visit(page, index, level, pool.gfn[page] + index * pages);
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    if (level > lowest && mmu.isPresent(lo, hi) && !isLast(lo, level)) {
      eachEntry(mmu, mmu.childOf(lo, hi), start, end, lowest, visit);
    }
  }
}
