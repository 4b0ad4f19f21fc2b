import { type Gfn, type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId, pageOf } from "./page_pool.ts";
import { asIdOf, isDirect, levelOf } from "./role.ts";
import { rmapKey } from "../shadow/shadow_books.ts";
import { isLast } from "./spte_bits.ts";

/** Does something to an entry that maps a frame; whether TLBs must be flushed. */
export type MappingVisit = (mmu: Mmu, page: PageId, index: number) => boolean;

/**
 * Visits all entries that map a frame at one level (`for_each_rmap_spte`). Entries of direct pages are found by the hash,
 * those of pages that shadow guest tables by the reverse map. Under `mmu_lock`.
 *
 * @param gfn A multiple of the pages of the level.
 * @param visit It may drop the entry.
 * @returns Whether any visit says that TLBs must be flushed.
 */
export function eachMapping(mmu: Mmu, asId: number, gfn: Gfn, level: number, visit: MappingVisit): boolean {
  const { pool, shadow, counters } = mmu;
  const tableGfn = gfn - (gfn % pagesPerEntry(level + 1));
  const index = (gfn - tableGfn) / pagesPerEntry(level);
  let flush = false;
  for (let page = pool.firstInBucket(tableGfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (pool.gfn[page] !== tableGfn || levelOf(pool.role[page]) !== level || !isDirect(pool.role[page])) continue;
    if (asIdOf(pool.role[page]) !== asId) continue;
    counters.counts[Work.sptesVisited]++;
    const lo = pool.lo(page, index);
    if (!mmu.isPresent(lo, pool.hi(page, index)) || !isLast(lo, level)) continue;
    if (visit(mmu, page, index)) flush = true;
  }
  if (shadow.indirectPages === 0) return flush;
  const sptes = shadow.rmap.get(rmapKey(gfn, level));
  if (sptes === undefined) return flush;
  for (const spte of [...sptes]) {
    if (asIdOf(pool.role[pageOf(spte)]) !== asId) continue;
    counters.counts[Work.sptesVisited]++;
    if (visit(mmu, pageOf(spte), spte % 512)) flush = true;
  }
  return flush;
}

/**
 * Visits all entries that map a slot's frames, level by level (`slot_handle_level_range`). O(pages of the slot).
 *
 * @param lowest The first level. @param highest The last.
 * @returns Whether any visit says that TLBs must be flushed.
 */
export function eachSlotMapping(
  mmu: Mmu,
  slot: Memslot,
  lowest: number,
  highest: number,
  visit: MappingVisit,
): boolean {
  let flush = false;
  for (let level = lowest; level <= highest; level++) {
    const pages = pagesPerEntry(level);
    for (let gfn = slot.baseGfn - (slot.baseGfn % pages); gfn < slot.baseGfn + slot.npages; gfn += pages) {
      if (eachMapping(mmu, slot.asId, gfn, level, visit)) flush = true;
    }
  }
  return flush;
}
