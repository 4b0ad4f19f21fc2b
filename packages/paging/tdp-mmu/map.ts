import { type Gfn, type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { makeSpte, type NewSpte, type SpteRequest, tableHi, tableLo } from "../pages/make_spte.ts";
import { hvaOf, isReadOnly } from "../pages/map.ts";
import { maxMappingLevel } from "../pages/max_mapping_level.ts";
import { makeMmioSpte, noteMmioSpte } from "../mmio/mmio_spte.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { directRole } from "../pages/role.ts";
import { entryIndex } from "../pages/shadow_walk.ts";
import { isLast, SPTE_LARGE } from "../pages/spte_bits.ts";
import { STAMP_MMIO_SPTE } from "../steps.ts";
import { READS_TABLES } from "../touches.ts";
import { sptepOf } from "../trace_page.ts";
import { traceRequest, traceSetSpte } from "../trace_spte.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { allocatePage } from "./roots.ts";
import { exchangeSpte, forget, keepBooks } from "./set_spte.ts";
import { isRemoved, REMOVED_SPTE } from "./removed_spte.ts";
import { splitHugePage } from "./split_huge_page.ts";
import { CLEAR_REMOVED_SPTE, EXCHANGE_SPTE } from "./steps.ts";
import { freeRemoved, rcuReadLock, rcuReadUnlock, type TdpMmu } from "./tdp_mmu.ts";

/**
 * Maps a gfn (`kvm_tdp_mmu_map`, 6.1 tdp_mmu.c; facts sheet 4.12): makes the tables that miss and writes the leaf, RAM or
 * MMIO, each entry by compare and exchange. Under `mmu_lock`, to read, so others may do the same at the same time: who
 * finds an entry changed or removed says `RETRY`.
 *
 * @param slot The slot that holds the gfn, or `undefined`: then an MMIO spte is written.
 */
export function* tdpMap(
  mmu: Mmu,
  tdp: TdpMmu,
  vcpu: VcpuMmu,
  gfn: Gfn,
  slot: Memslot | undefined,
): Protocol<RetPfResult> {
  const goal = slot === undefined || slot.dirtyBitmap !== null ? 1 : maxMappingLevel(mmu, slot, gfn);
  if (mmu.trace.on) traceRequest(mmu, gfn, slot === undefined ? -1 : mmu.host.pfn(hvaOf(slot, gfn)), goal);
  rcuReadLock(mmu, tdp);
  const result = yield* map(mmu, tdp, vcpu, gfn, slot, goal);
  rcuReadUnlock(mmu, tdp);
  return result;
}

function* map(
  mmu: Mmu,
  tdp: TdpMmu,
  vcpu: VcpuMmu,
  gfn: Gfn,
  slot: Memslot | undefined,
  goal: number,
): Protocol<RetPfResult> {
  const { pool, counters } = mmu;
  let page = vcpu.root;
  for (let level: number = mmu.rootLevel; level > goal; level--) {
    const index = entryIndex(gfn, level);
    mmu.execution.touched |= READS_TABLES;
    counters.counts[Work.sptesVisited]++;
    let lo = pool.lo(page, index);
    let hi = pool.hi(page, index);
    if (mmu.isPresent(lo, hi) && (lo & SPTE_LARGE) !== 0) {
      const opened = tdp.rules.splitsInFault
        ? yield* splitInFault(mmu, tdp, page, index)
        : yield* zapAtomic(mmu, tdp, page, index);
      if (!opened) return RetPf.RETRY;
      lo = pool.lo(page, index);
      hi = pool.hi(page, index);
    }
    if (!mmu.isPresent(lo, hi)) {
      if (isRemoved(mmu, lo, hi)) return RetPf.RETRY;
      if (!(yield* linkNewTable(mmu, tdp, vcpu, page, index, gfn, level))) return RetPf.RETRY;
    }
    page = mmu.childOf(pool.lo(page, index), pool.hi(page, index));
  }
  const index = entryIndex(gfn, goal);
  mmu.execution.touched |= READS_TABLES;
  counters.counts[Work.sptesVisited]++;
  const oldLo = pool.lo(page, index);
  const oldHi = pool.hi(page, index);
  if (isRemoved(mmu, oldLo, oldHi)) return RetPf.RETRY;
  mmu.execution.observe(oldLo);
  mmu.execution.observe(oldHi);
  yield slot === undefined ? STAMP_MMIO_SPTE : EXCHANGE_SPTE;
  return slot === undefined
    ? writeMmio(mmu, vcpu, page, index, gfn, oldLo, oldHi)
    : writeRam(mmu, page, index, gfn, slot, goal, oldLo, oldHi);
}

/** Links an empty table below an entry (`tdp_mmu_link_sp`); false if the entry has changed meanwhile. */
function* linkNewTable(
  mmu: Mmu,
  tdp: TdpMmu,
  vcpu: VcpuMmu,
  page: PageId,
  index: number,
  gfn: Gfn,
  level: number,
): Protocol<boolean> {
  const { pool } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  mmu.execution.observe(level);
  yield EXCHANGE_SPTE;
  const below = pagesPerEntry(level);
  const table = allocatePage(mmu, gfn - (gfn % below), directRole(level - 1, vcpu.asId));
  if (exchangeSpte(mmu, page, index, lo, hi, tableLo(mmu, table), tableHi(mmu, table))) return true;
  // Nobody has seen it: it goes as it came (`tdp_mmu_free_sp`).
  forget(mmu, table);
  freeRemoved(mmu, tdp);
  return false;
}

/** Gives a large page that is in the way a table of mappings; false if the entry has changed meanwhile. */
function* splitInFault(mmu: Mmu, tdp: TdpMmu, page: PageId, index: number): Protocol<boolean> {
  const lo = mmu.pool.lo(page, index);
  const hi = mmu.pool.hi(page, index);
  mmu.execution.observe(lo);
  mmu.execution.observe(hi);
  yield EXCHANGE_SPTE;
  return splitHugePage(mmu, tdp, page, index, lo, hi);
}

/**
 * Clears an entry in two acts, so that nobody can map anything there before the TLBs are flushed
 * (`tdp_mmu_zap_spte_atomic`); false if it has changed meanwhile.
 */
export function* zapAtomic(mmu: Mmu, tdp: TdpMmu, page: PageId, index: number): Protocol<boolean> {
  const { pool } = mmu;
  const { booksAfterFlush } = tdp.rules;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  mmu.execution.observe(lo);
  mmu.execution.observe(hi);
  yield EXCHANGE_SPTE;
  if (booksAfterFlush) {
    mmu.execution.touched |= READS_TABLES;
    if (pool.lo(page, index) !== lo || pool.hi(page, index) !== hi) return false;
    mmu.setSpte(page, index, REMOVED_SPTE, pool.emptyHi);
  } else if (!exchangeSpte(mmu, page, index, lo, hi, REMOVED_SPTE, pool.emptyHi)) return false;
  mmu.flushRemoteTlbs();
  yield CLEAR_REMOVED_SPTE;
  mmu.clearSpte(page, index);
  if (booksAfterFlush) keepBooks(mmu, page, index, lo, hi, 0, pool.emptyHi, true);
  return true;
}

const made: NewSpte = { lo: 0, hi: 0 };
const request: SpteRequest = {
  gfn: 0,
  pfn: 0,
  slot: undefined,
  access: ACC_ALL,
  hostWritable: true,
  speculative: false,
  canUnsync: true,
};

/** `tdp_mmu_map_handle_target_level` for memory. */
function writeRam(
  mmu: Mmu,
  page: PageId,
  index: number,
  gfn: Gfn,
  slot: Memslot,
  level: number,
  oldLo: number,
  oldHi: number,
): RetPfResult {
  const first = gfn - (gfn % pagesPerEntry(level));
  const pfn = mmu.host.pfn(hvaOf(slot, gfn)) - (gfn - first);
  request.gfn = first;
  request.pfn = pfn;
  request.slot = slot;
  request.hostWritable = !isReadOnly(slot);
  makeSpte(mmu, page, request, oldLo, made);
  const spurious = made.lo === oldLo && made.hi === oldHi;
  if (!spurious) {
    if (!exchangeSpte(mmu, page, index, oldLo, oldHi, made.lo, made.hi)) return RetPf.RETRY;
    if (mmu.isPresent(oldLo, oldHi) && !isLast(oldLo, level)) mmu.flushRemoteTlbs();
  }
  if (mmu.trace.on) traceSetSpte(mmu, page, index, first, level);
  return spurious ? RetPf.SPURIOUS : RetPf.FIXED;
}

/**
 * The same for a gfn without a slot. The generation is read here, late (bug B02). If a slot is being created, another vCPU may
 * have mapped memory here meanwhile: the MMIO spte goes over it, without a warning or a flush, and does no harm, for its number is no
 * longer current when the update is done.
 */
function writeMmio(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: PageId,
  index: number,
  gfn: Gfn,
  oldLo: number,
  oldHi: number,
): RetPfResult {
  makeMmioSpte(mmu, vcpu, gfn, ACC_ALL, made);
  const { lo, hi } = made;
  if (lo !== oldLo || hi !== oldHi) {
    if (!exchangeSpte(mmu, page, index, oldLo, oldHi, lo, hi)) return RetPf.RETRY;
  }
  mmu.stats.pf_mmio_spte_created++;
  noteMmioSpte(mmu, vcpu, sptepOf(mmu, page, index), gfn, ACC_ALL, lo, hi);
  return RetPf.EMULATE;
}
