import { pagesPerEntry } from "@mmu-lab/memslots";
import { KVM_MMU_SPLIT_HUGE_PAGE } from "@mmu-lab/tracing";
import { countMappings } from "../kvm_stats.ts";
import { tableHi, tableLo } from "../pages/make_spte.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { asIdOf, directRole, levelOf } from "../pages/role.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { allocatePage } from "./roots.ts";
import { exchangeSpte, forget } from "./set_spte.ts";
import { freeRemoved, type TdpMmu } from "./tdp_mmu.ts";

/**
 * Puts a table in the place of a large page; its entries have the bits of the large page (`tdp_mmu_split_huge_page`, 6.1 and
 * 6.12 tdp_mmu.c). Under `mmu_lock`, to read.
 *
 * @param lo Low lane of the entry as it was read. @param hi High lane.
 * @returns Whether the entry still was that, and the table is in its place.
 */
export function splitHugePage(
  mmu: Mmu,
  tdp: TdpMmu,
  page: PageId,
  index: number,
  lo: number,
  hi: number,
): boolean {
  const { pool } = mmu;
  const level = levelOf(pool.role[page]);
  const gfn = pool.gfn[page] + index * pagesPerEntry(level);
  const table = allocatePage(mmu, gfn, directRole(level - 1, asIdOf(pool.role[page])));
  // The bits below the frame of a large page are clear.
  const each = pagesPerEntry(level - 1);
  const bits = level - 1 === 1 ? lo & ~SPTE_LARGE : lo;
  for (let i = 0; i < 512; i++) pool.set(table, i, bits | ((i * each) << 12), hi);
  if (!exchangeSpte(mmu, page, index, lo, hi, tableLo(mmu, table), tableHi(mmu, table))) {
    forget(mmu, table);
    freeRemoved(mmu, tdp);
    return false;
  }
  countMappings(mmu.stats, level - 1, 512);
  if (mmu.trace.on) mmu.trace.emit(KVM_MMU_SPLIT_HUGE_PAGE, -1, gfn, lo, hi, level, 0);
  return true;
}
