import { pagesPerEntry } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { KVM_MMU_PREPARE_ZAP_PAGE, KVM_TDP_MMU_SPTE_CHANGED } from "@mmu-lab/tracing";
import { countMappings } from "../kvm_stats.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { asIdOf, levelOf } from "../pages/role.ts";
import { isLast } from "../pages/spte_bits.ts";
import { WRITES_TABLES } from "../touches.ts";
import { tracePage } from "../trace_page.ts";
import { addParent, removeParent } from "../pages/zap.ts";
import { REMOVED_SPTE } from "./removed_spte.ts";

/**
 * Writes an entry if it still is what it was (`tdp_mmu_set_spte_atomic`, 6.1 tdp_mmu.c), with the bookkeeping that the
 * change calls for. Under `mmu_lock`, to read.
 *
 * @returns Whether it was written.
 */
export function exchangeSpte(
  mmu: Mmu,
  page: PageId,
  index: number,
  oldLo: number,
  oldHi: number,
  newLo: number,
  newHi: number,
): boolean {
  mmu.lock.assertHeldToRead("exchange an spte of the TDP MMU");
  mmu.execution.touched |= WRITES_TABLES;
  if (mmu.pool.lo(page, index) !== oldLo || mmu.pool.hi(page, index) !== oldHi) return false;
  changeSpte(mmu, page, index, newLo, newHi, true);
  return true;
}

/** Writes an entry (`tdp_mmu_set_spte`). Under `mmu_lock`, to write: nobody else can. */
export function setTdpSpte(mmu: Mmu, page: PageId, index: number, lo: number, hi: number): void {
  mmu.lock.assertHeld("write an spte of the TDP MMU");
  changeSpte(mmu, page, index, lo, hi, false);
}

/**
 * Writes an entry and keeps the books (`__handle_changed_spte`): counts of mappings; a table that is no longer linked goes
 * with all below it. One atomic act, for whoever reads a table meanwhile finds removed entries or old ones.
 */
function changeSpte(mmu: Mmu, page: PageId, index: number, lo: number, hi: number, shared: boolean): void {
  const { pool, counters } = mmu;
  const oldLo = pool.lo(page, index);
  const oldHi = pool.hi(page, index);
  mmu.execution.touched |= WRITES_TABLES;
  counters.counts[Work.sptesWritten]++;
  if (oldLo === lo && oldHi === hi) return;
  mmu.setSpte(page, index, lo, hi);
  keepBooks(mmu, page, index, oldLo, oldHi, lo, hi, shared);
}

/** What follows from an entry that was written (`handle_changed_spte`): counts and tables. The entry itself stays as it is. */
export function keepBooks(
  mmu: Mmu,
  page: PageId,
  index: number,
  oldLo: number,
  oldHi: number,
  lo: number,
  hi: number,
  shared: boolean,
): void {
  const level = levelOf(mmu.pool.role[page]);
  traceChange(mmu, page, index, oldLo, oldHi, lo, hi);
  const wasPresent = mmu.isPresent(oldLo, oldHi);
  const isPresent = mmu.isPresent(lo, hi);
  const wasLeaf = wasPresent && isLast(oldLo, level);
  const isLeaf = isPresent && isLast(lo, level);
  if (wasLeaf !== isLeaf) countMappings(mmu.stats, level, isLeaf ? 1 : -1);
  if (wasPresent && !wasLeaf && (isLeaf || !isPresent)) {
    const child = mmu.childOf(oldLo, oldHi);
    removeParent(mmu, child, page * 512 + index);
    removeTable(mmu, child, shared);
  } else if (wasPresent && !wasLeaf && isPresent) {
    mmu.warnings.push("an entry of the TDP MMU links another table than before");
  }
  if (isPresent && !isLeaf) addParent(mmu, mmu.childOf(lo, hi), page * 512 + index);
}

/**
 * Takes a table out that is no longer linked, with all that it links (`handle_removed_pt`). Under the lock taken to read
 * each entry is frozen, for somebody may be about to fill it; taken to write, entries that are not present stay.
 */
function removeTable(mmu: Mmu, page: PageId, shared: boolean): void {
  const { pool, counters } = mmu;
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_PREPARE_ZAP_PAGE, page);
  counters.counts[Work.pagesZapped]++;
  counters.counts[Work.sptesVisited] += 512;
  for (let index = 0; index < 512; index++) {
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    if (pool.isEmpty(lo, hi)) {
      if (shared) pool.set(page, index, REMOVED_SPTE, pool.emptyHi);
      continue;
    }
    if (mmu.layout.isMmio(lo, hi)) {
      if (!shared) continue;
      counters.counts[Work.mmioSptesZapped]++;
    }
    changeSpte(mmu, page, index, REMOVED_SPTE, pool.emptyHi, shared);
  }
  forget(mmu, page);
}

/** Takes a page out of use: it is freed when nobody reads it any more. */
export function forget(mmu: Mmu, page: PageId): void {
  const { pool } = mmu;
  if (pool.mmioCount[page] > 0) mmu.pagesWithMmio--;
  pool.mmioCount[page] = 0;
  pool.unlist(page);
  pool.used--;
  mmu.zapped.push(page);
}

function traceChange(
  mmu: Mmu,
  page: PageId,
  index: number,
  oldLo: number,
  oldHi: number,
  lo: number,
  hi: number,
): void {
  if (!mmu.trace.on) return;
  const { pool } = mmu;
  const role = pool.role[page];
  const level = levelOf(role);
  const gfn = pool.gfn[page] + index * pagesPerEntry(level);
  mmu.trace.emit(KVM_TDP_MMU_SPTE_CHANGED, -1, asIdOf(role), gfn, level, oldLo, oldHi, lo, hi);
}
