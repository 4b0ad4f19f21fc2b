import { type Gfn, markPageDirty, MEM_READONLY, type Memslot } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_ALL, ACC_WRITE, addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { MMU_SPTE_SET } from "@mmu-lab/tracing";
import { getPage } from "./get_page.ts";
import { markMmioSpte } from "./mmio_spte.ts";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./page_pool.ts";
import { accessOf, directRole, levelOf } from "./role.ts";
import { entryIndex } from "./shadow_walk.ts";
import { SPTE_HOST_WRITABLE, SPTE_LARGE, SPTE_MMU_WRITABLE, SPTE_PRESENT, SPTE_WRITABLE } from "./spte_bits.ts";
import { sptepOf } from "./trace_page.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";
import { addParent, dropSpte, removeParent } from "./zap.ts";
import { WRITES_TABLES } from "./touches.ts";

/** Entries that one fault may fill beside its own (`PTE_PREFETCH_NUM`), a power of two. */
const PREFETCH_ENTRIES = 8;

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
 * Maps a gfn in a direct MMU: makes the tables that miss, and writes the leaf, RAM or MMIO (`__direct_map`, 3.11; facts
 * sheet 3.4 step 8). Under `mmu_lock`.
 *
 * @returns Whether the access must be emulated: an MMIO spte was written.
 */
export function directMap(mmu: Mmu, vcpu: VcpuMmu, faultGfn: Gfn, mapping: Mapping): boolean {
  const { pool, counters } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  let page = vcpu.root;
  for (let level: number = mmu.rootLevel;; level--) {
    const index = entryIndex(mapping.gfn, level);
    counters.counts[Work.sptesVisited]++;
    if (level === mapping.level) {
      const emulate = setLeaf(mmu, vcpu, page, index, mapping, level, ACC_ALL, false);
      if (mmu.bits.accessed !== 0 && level === 1) prefetch(mmu, vcpu, page, index);
      mmu.stats.pf_fixed++;
      return emulate;
    }
    if (!mmu.isPresent(pool.lo(page, index), pool.hi(page, index))) {
      const below = 512 ** (level - 1);
      const child = getPage(mmu, faultGfn - (faultGfn % below), directRole(level - 1, vcpu.asId));
      linkPage(mmu, page, index, child);
    }
    page = mmu.childOf(pool.lo(page, index), pool.hi(page, index));
  }
}

/** Links a table below an entry (`link_shadow_page`, with the parent pointer of `kvm_mmu_get_page`). */
function linkPage(mmu: Mmu, page: PageId, index: number, child: PageId): void {
  const lo = addressLo(child) | mmu.bits.table;
  const hi = addressHi(child);
  addParent(mmu, child, page * 512 + index);
  writePresent(mmu, page, index, lo, hi);
}

function writePresent(mmu: Mmu, page: PageId, index: number, lo: number, hi: number): void {
  mmu.counters.counts[Work.sptesWritten]++;
  if (mmu.trace.on) mmu.trace.emit(MMU_SPTE_SET, -1, sptepOf(mmu, page, index), lo, hi);
  mmu.setSpte(page, index, lo, hi);
}

/**
 * Writes a leaf (`mmu_set_spte` and `set_spte`, 3.11; facts sheet 6.6). What was there goes first: a table that a large
 * page replaces is unlinked, a mapping of another frame is dropped. An MMIO spte that is overwritten needs nothing.
 *
 * @returns Whether the entry is now an MMIO spte.
 */
function setLeaf(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: PageId,
  index: number,
  mapping: Mapping,
  level: number,
  access: number,
  speculative: boolean,
): boolean {
  const { pool } = mmu;
  const oldLo = pool.lo(page, index);
  const oldHi = pool.hi(page, index);
  const drops = mmu.faultRules.mappingUnderMmio === "dropped";
  let wasMapped = false;
  if (mmu.isPresent(oldLo, oldHi)) {
    if (level > 1 && (oldLo & SPTE_LARGE) === 0) {
      removeParent(mmu, mmu.childOf(oldLo, oldHi), page * 512 + index);
      dropSpte(mmu, page, index);
      mmu.flushRemoteTlbs();
    } else if (mapping.slot === undefined ? drops : pfnOfLanes(oldLo, oldHi) !== mapping.pfn) {
      dropSpte(mmu, page, index);
      mmu.flushRemoteTlbs();
    } else wasMapped = true;
  }
  if (mapping.slot === undefined) {
    markMmioSpte(mmu, vcpu, page, index, mapping.gfn, access);
    if (!wasMapped && (pool.lo(page, index) & SPTE_LARGE) !== 0) mmu.stats.largepages++;
    return true;
  }
  const writable = mapping.writable && (access & ACC_WRITE) !== 0;
  const lo = leafBits(mmu, level, mapping.writable, writable, speculative) | addressLo(mapping.pfn);
  const hi = addressHi(mapping.pfn);
  if (writable) markPageDirty(mapping.slot, mapping.gfn);
  if (wasMapped) updateSpte(mmu, page, index, lo, hi);
  else {
    writePresent(mmu, page, index, lo, hi);
    if (level > 1) mmu.stats.largepages++;
  }
  return false;
}

function leafBits(mmu: Mmu, level: number, hostWritable: boolean, writable: boolean, speculative: boolean): number {
  const { bits } = mmu;
  let lo = SPTE_PRESENT | bits.executable | bits.user | bits.memoryType;
  if (!speculative) lo |= bits.accessed;
  if (level > 1) lo |= SPTE_LARGE;
  if (hostWritable) lo |= SPTE_HOST_WRITABLE;
  if (writable) lo |= SPTE_WRITABLE | SPTE_MMU_WRITABLE | bits.dirtyIfWritable;
  return lo;
}

/** Changes bits of a mapping, the frame staying as it is (`mmu_spte_update`): write access lost means a flush. */
export function updateSpte(mmu: Mmu, page: PageId, index: number, lo: number, hi: number): void {
  const lostWrite = (mmu.pool.lo(page, index) & SPTE_WRITABLE) !== 0 && (lo & SPTE_WRITABLE) === 0;
  mmu.counters.counts[Work.sptesWritten]++;
  mmu.setSpte(page, index, lo, hi);
  if (lostWrite) mmu.flushRemoteTlbs();
}

/**
 * Maps the neighbours of a leaf that was just written, among the eight entries that it is aligned in, without waiting
 * for them to fault (`__direct_pte_prefetch`, 3.11). A run of entries that are not present is filled when it ends at one
 * that is; so the run that reaches the end of the eight is never filled, and a run stops everything if it does not lie
 * in one slot. An MMIO spte counts as not present and may be overwritten (facts sheet 3.5). Without an accessed bit KVM
 * could not tell used from prefetched pages, and does not prefetch.
 */
function prefetch(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number): void {
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
    setLeaf(mmu, vcpu, page, at, prefetched, levelOf(pool.role[page]), access, true);
  }
  return true;
}

const prefetched: Mapping = { gfn: 0, level: 1, slot: undefined, pfn: 0, writable: true };

/** Host virtual address of a gfn in its slot. */
export function hvaOf(slot: Memslot, gfn: Gfn): number {
  return slot.userspaceAddr + (gfn - slot.baseGfn) * 4096;
}

/** Whether writes by the guest do not reach the slot's memory. */
export function isReadOnly(slot: Memslot): boolean {
  return (slot.flags & MEM_READONLY) !== 0;
}
