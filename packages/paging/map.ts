import { type Gfn, largePageAllowed, markPageDirty, MEM_READONLY, type Memslot } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_ALL, ACC_EXEC, ACC_USER, ACC_WRITE, addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { MMU_SPTE_SET } from "@mmu-lab/tracing";
import { getPage } from "./get_page.ts";
import { markMmioSpte } from "./mmio_spte.ts";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./page_pool.ts";
import { accessOf, asIdOf, directRole, directShadowRole, isDirect, levelOf } from "./role.ts";
import { entryIndex } from "./shadow_walk.ts";
import { SPTE_HOST_WRITABLE, SPTE_LARGE, SPTE_MMU_WRITABLE, SPTE_PRESENT, SPTE_WRITABLE } from "./spte_bits.ts";
import { sptepOf } from "./trace_page.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";
import { addParent, dropSpte, removeParent } from "./zap.ts";
import { getShadowPage } from "./shadow/get_shadow_page.ts";
import { rmapAdd } from "./shadow/rmap.ts";
import { beginShadowWalk } from "./shadow/shadow_roots.ts";
import { needWriteProtect } from "./shadow/unsync.ts";
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
 * @param write Whether the access is a write.
 * @returns Whether the access must be emulated: an MMIO spte was written.
 */
export function directMap(mmu: Mmu, vcpu: VcpuMmu, faultGfn: Gfn, mapping: Mapping, write: boolean): boolean {
  const { pool, counters } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  let page = vcpu.root;
  let level: number = mmu.rootLevel;
  if (vcpu.shadow !== undefined) ({ page, level } = beginShadowWalk(vcpu, faultGfn));
  for (;; level--) {
    const index = entryIndex(mapping.gfn, level);
    counters.counts[Work.sptesVisited]++;
    if (level === mapping.level) {
      const emulate = setLeaf(mmu, vcpu, page, index, mapping, level, ACC_ALL, false, write);
      if (mmu.bits.accessed !== 0 && level === 1) prefetch(mmu, vcpu, page, index);
      mmu.stats.pf_fixed++;
      return emulate;
    }
    if (!mmu.isPresent(pool.lo(page, index), pool.hi(page, index))) {
      const below = 512 ** (level - 1);
      const gfn = faultGfn - (faultGfn % below);
      const child = vcpu.shadow === undefined
        ? getPage(mmu, gfn, directRole(level - 1, vcpu.asId))
        : getShadowPage(mmu, vcpu, gfn, directShadowRole(vcpu.shadow.base, level - 1, ACC_ALL));
      linkPage(mmu, page, index, child);
    }
    page = mmu.childOf(pool.lo(page, index), pool.hi(page, index));
  }
}

/** Links a table below an entry (`link_shadow_page`, with the parent pointer of `kvm_mmu_get_page`). */
export function linkPage(mmu: Mmu, page: PageId, index: number, child: PageId): void {
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
 * Writes a leaf (`mmu_set_spte`, 3.11; facts sheet 6.6). What was there goes first: a table that a large page replaces is
 * unlinked, a mapping of another frame is dropped. An MMIO spte that is overwritten needs nothing.
 *
 * @param access What the mapping allows: exec 1, write 2, user 4. @param speculative Whether nobody has asked for it yet.
 * @param writeFault Whether it is for a write.
 * @returns Whether the access must be emulated: the entry is an MMIO spte, or must not be written.
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
): boolean {
  const { pool } = mmu;
  const oldLo = pool.lo(page, index);
  const oldHi = pool.hi(page, index);
  const drops = mmu.faultRules.mappingUnderMmio === "dropped";
  let wasMapped = false;
  if (mmu.isPresent(oldLo, oldHi)) {
    if (level > 1 && (oldLo & SPTE_LARGE) === 0) {
      removeParent(mmu, mmu.childOf(oldLo, oldHi), page * 512 + index);
      mmu.clearSpte(page, index);
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
  const protectedFromWrites = setSpte(mmu, page, index, mapping, level, access, speculative, true);
  if (protectedFromWrites) mmu.flushLocalTlb(vcpu);
  if (!wasMapped && mmu.isPresent(pool.lo(page, index), pool.hi(page, index))) {
    if (level > 1) mmu.stats.largepages++;
    if (!isDirect(pool.role[page])) rmapAdd(mmu, page, index, mapping.gfn, level);
  }
  return protectedFromWrites && writeFault;
}

/**
 * Writes the entry of a leaf that maps memory (`set_spte`, 3.11). One that would let the guest write a shadowed table is
 * not made writable, or the pages of that table are marked as out of date.
 *
 * @param canUnsync Whether these may be marked so.
 * @returns Whether the entry is not writable for that reason.
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
  const { pool, bits } = mmu;
  const oldLo = pool.lo(page, index);
  let writable = mapping.writable && (access & ACC_WRITE) !== 0;
  let protectedFromWrites = false;
  let marksDirty = writable;
  if (writable && mmu.shadow.indirectPages > 0) {
    // Another vCPU has begun to shadow a table in this large page: the guest tries again.
    if (level > 1 && mmu.shadow.hasShadowed(mapping.gfn, level, asIdOf(pool.role[page]))) return false;
    if (!canUnsync && (oldLo & SPTE_WRITABLE) !== 0) marksDirty = false;
    else if (needWriteProtect(mmu, asIdOf(pool.role[page]), mapping.gfn, canUnsync)) {
      protectedFromWrites = true;
      writable = false;
      marksDirty = false;
    }
  }
  const lo = leafBits(mmu, level, mapping.writable, writable, access, speculative) | addressLo(mapping.pfn);
  const hi = addressHi(mapping.pfn) | ((access & ACC_EXEC) === 0 ? bits.noExecuteHi : 0);
  if (marksDirty && mapping.slot !== undefined) markPageDirty(mapping.slot, mapping.gfn);
  if (mmu.isPresent(oldLo, pool.hi(page, index))) updateSpte(mmu, page, index, lo, hi);
  else writePresent(mmu, page, index, lo, hi);
  return protectedFromWrites;
}

function leafBits(
  mmu: Mmu,
  level: number,
  hostWritable: boolean,
  writable: boolean,
  access: number,
  speculative: boolean,
): number {
  const { bits } = mmu;
  let lo = SPTE_PRESENT | bits.memoryType;
  if ((access & ACC_EXEC) !== 0) lo |= bits.executable;
  if ((access & ACC_USER) !== 0) lo |= bits.user;
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

/** Host virtual address of a gfn in its slot. */
export function hvaOf(slot: Memslot, gfn: Gfn): number {
  return slot.userspaceAddr + (gfn - slot.baseGfn) * 4096;
}

/** Whether writes by the guest do not reach the slot's memory. */
export function isReadOnly(slot: Memslot): boolean {
  return (slot.flags & MEM_READONLY) !== 0;
}

/** The largest level at which host page, processor and slot allow to map the gfn (`mapping_level`, 3.11). */
export function mappingLevel(mmu: Mmu, slot: Memslot, gfn: Gfn): number {
  const largest = Math.min(mmu.host.mappingLevel(hvaOf(slot, gfn)), mmu.maxPageLevel);
  let level = 1;
  while (level < largest && mayBeLarge(mmu, slot, gfn, level + 1)) level++;
  return level;
}

/** Maps 2 MiB at once where the host has a transparent huge page (`transparent_hugepage_adjust`, 3.11). */
export function adjustToTransparentHugePage(mmu: Mmu, vcpu: VcpuMmu, mapping: Mapping): void {
  const { slot, gfn } = mapping;
  if (slot === undefined || mapping.level !== 1 || mmu.maxPageLevel < 2) return;
  if (!mmu.host.isTransparentHuge(hvaOf(slot, gfn))) return;
  const current = mmu.slotOf(vcpu, gfn);
  if (current === undefined || !mayBeLarge(mmu, current, gfn, 2)) return;
  if (gfn % 512 !== mapping.pfn % 512) {
    // The kernel has a VM_BUG_ON here: a slot that was moved keeps the limits of its first place.
    mmu.warnings.push(`gfn 0x${gfn.toString(16)} and its huge page are not aligned to each other`);
    return;
  }
  mapping.level = 2;
  mapping.gfn = gfn - (gfn % 512);
  mapping.pfn -= mapping.pfn % 512;
}

/** Whether a gfn may be mapped large: by its slot, and since no shadowed table lies there (`has_wrprotected_page`). */
function mayBeLarge(mmu: Mmu, slot: Memslot, gfn: Gfn, level: number): boolean {
  return largePageAllowed(slot, gfn, level) && !mmu.shadow.hasShadowed(gfn, level, slot.asId);
}
