import type { Gfn, Memslot } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { MMU_SPTE_SET } from "@mmu-lab/tracing";
import { countMappings } from "../kvm_stats.ts";
import { makeSpte, type NewSpte, type SpteRequest, tableHi, tableLo } from "./make_spte.ts";
import { markMmioSpte } from "../mmio/mmio_spte.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { asIdOf, isDirect } from "./role.ts";
import { isLast, isMmuWritable, SPTE_LARGE, SPTE_WRITABLE } from "./spte_bits.ts";
import { sptepOf } from "../trace_page.ts";
import { traceSetSpte } from "../trace_spte.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { addParent, dropSpte, zapPresent } from "./zap.ts";
import { rmapAdd } from "../shadow/rmap.ts";

/** Where a fault is to be mapped. Reused: a fault allocates none. */
export interface Mapping {
  /** First gfn of the page that is mapped, aligned to its size. */
  gfn: Gfn;
  /** Level of the mapping: 1, 2 or 3. */
  level: number;
  /** The slot that holds the gfn, or `undefined`: then an MMIO spte is written. */
  slot: Memslot | undefined;
  /** First host frame. */
  pfn: number;
  /** Whether host memory may be written. */
  writable: boolean;
}

/**
 * Links a table below an entry (`link_shadow_page`, with the parent pointer of `kvm_mmu_get_page` in 3.11). What the entry
 * maps or links goes first, and TLBs are flushed.
 */
export function linkPage(mmu: Mmu, page: PageId, index: number, child: PageId): void {
  if (mmu.isPresent(mmu.pool.lo(page, index), mmu.pool.hi(page, index))) {
    zapPresent(mmu, page, index);
    mmu.flushRemoteTlbs();
  }
  addParent(mmu, child, page * 512 + index);
  writePresent(mmu, page, index, tableLo(mmu, child), tableHi(mmu, child));
}

function writePresent(mmu: Mmu, page: PageId, index: number, lo: number, hi: number): void {
  mmu.counters.counts[Work.sptesWritten]++;
  if (mmu.trace.on) mmu.trace.emit(MMU_SPTE_SET, -1, sptepOf(mmu, page, index), lo, hi);
  mmu.setSpte(page, index, lo, hi);
}

/**
 * Writes a leaf (`mmu_set_spte`, 3.11 and 6.1; facts sheet 6.6). What was there goes first: a table that a large page replaces
 * is unlinked, a mapping of another frame is dropped. An MMIO spte that is overwritten needs nothing.
 *
 * @param access What the mapping allows: exec 1, write 2, user 4. @param speculative Whether nobody has asked for it yet.
 * @param writeFault Whether it is for a write.
 * @returns `EMULATE` if it is an MMIO spte now; `WRITE_PROTECTED` if this write must not reach a guest table; `SPURIOUS` if all
 * was so already; else `FIXED`.
 */
export function setLeaf(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: PageId,
  index: number,
  mapping: Mapping,
  level: number,
  access: number,
  speculative: boolean,
  writeFault: boolean,
): RetPfResult {
  const { pool } = mmu;
  const oldLo = pool.lo(page, index);
  const oldHi = pool.hi(page, index);
  const drops = mmu.faultRules.mappingUnderMmio === "dropped";
  let wasMapped = false;
  if (mmu.isPresent(oldLo, oldHi)) {
    if (!isLast(oldLo, level)) zapPresent(mmu, page, index);
    else if (mapping.slot === undefined ? drops : pfnOfLanes(oldLo, oldHi) !== mapping.pfn) dropSpte(mmu, page, index);
    else wasMapped = true;
    if (!wasMapped) mmu.flushRemoteTlbs();
  }
  if (mapping.slot === undefined) {
    mmu.stats.pf_mmio_spte_created++;
    markMmioSpte(mmu, vcpu, page, index, mapping.gfn, access);
    if (!wasMapped && (pool.lo(page, index) & SPTE_LARGE) !== 0) mmu.stats.largepages++;
    return RetPf.EMULATE;
  }
  const beforeLo = pool.lo(page, index);
  const beforeHi = pool.hi(page, index);
  const protectedFromWrites = setSpte(mmu, page, index, mapping, level, access, speculative, true);
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  const changed = lo !== beforeLo || hi !== beforeHi;
  if (changed && mmu.trace.on) traceSetSpte(mmu, page, index, mapping.gfn, level);
  if (protectedFromWrites && mmu.shadowRules.flushesAfterSync === "own") mmu.flushLocalTlb(vcpu);
  if (!wasMapped && mmu.isPresent(lo, hi)) {
    countMappings(mmu.stats, level, 1);
    if (level > 1) mmu.stats.largepages++;
    if (!isDirect(pool.role[page])) rmapAdd(mmu, page, index, mapping.gfn, level, access);
  } else if (wasMapped && !isDirect(pool.role[page])) {
    mmu.shadow.setTranslation(page, index, mapping.gfn, access);
  }
  if (protectedFromWrites && writeFault) return RetPf.WRITE_PROTECTED;
  return changed ? RetPf.FIXED : RetPf.SPURIOUS;
}

const made: NewSpte = { lo: 0, hi: 0 };
const request: SpteRequest = {
  gfn: 0,
  pfn: 0,
  slot: undefined,
  access: 0,
  hostWritable: false,
  speculative: false,
  canUnsync: false,
};

/**
 * Writes the entry of a leaf that maps memory (`set_spte`, 3.11; `make_spte` and `mmu_spte_update`, 6.1).
 *
 * @param canUnsync Whether pages of guest tables may be marked as out of date, which the entry lets the guest write.
 * @returns Whether the entry is not writable for the sake of a guest table.
 */
export function setSpte(
  mmu: Mmu,
  page: PageId,
  index: number,
  mapping: Mapping,
  level: number,
  access: number,
  speculative: boolean,
  canUnsync: boolean,
): boolean {
  const { pool } = mmu;
  const oldLo = pool.lo(page, index);
  // Another vCPU has begun to shadow a table in this large page: the guest tries again.
  if (mapping.writable && level > 1 && mmu.shadow.hasShadowed(mapping.gfn, level, asIdOf(pool.role[page]))) {
    return false;
  }
  request.gfn = mapping.gfn;
  request.pfn = mapping.pfn;
  request.slot = mapping.slot;
  request.access = access;
  request.hostWritable = mapping.writable;
  request.speculative = speculative;
  request.canUnsync = canUnsync;
  const protectedFromWrites = makeSpte(mmu, page, request, oldLo, made);
  if (mmu.isPresent(oldLo, pool.hi(page, index))) updateSpte(mmu, page, index, made.lo, made.hi);
  else writePresent(mmu, page, index, made.lo, made.hi);
  return protectedFromWrites;
}

/**
 * Changes bits of a mapping, the frame staying as it is (`mmu_spte_update`), and flushes TLBs if they may hold more
 * than it says.
 */
export function updateSpte(mmu: Mmu, page: PageId, index: number, lo: number, hi: number): void {
  const { bits, pool } = mmu;
  const oldLo = pool.lo(page, index);
  const lostWrite = (oldLo & SPTE_WRITABLE) !== 0 && (lo & SPTE_WRITABLE) === 0;
  const { flushedUpdate } = mmu.pageRules;
  const changed = flushedUpdate === "state-changed" ? oldLo ^ lo : oldLo & ~lo;
  const lostState = flushedUpdate !== "write-lost" &&
    ((changed & (bits.accessed | bits.dirty)) !== 0 ||
      ((lo & SPTE_WRITABLE) === 0 && isMmuWritable(bits, oldLo, pool.hi(page, index))));
  mmu.counters.counts[Work.sptesWritten]++;
  mmu.setSpte(page, index, lo, hi);
  if (lostWrite || lostState) mmu.flushRemoteTlbs();
}
