/**
 * Bringing shadow pages up to date (`sync_page` and its callers, 3.11 mmu.c and paging_tmpl.h; facts sheet 3.5).
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_WRITE, addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { markMmioSpte } from "../mmio_spte.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../page_pool.ts";
import { accessOf, hasFourByteGptes, quadrantOf } from "../role.ts";
import { type Mapping, setSpte } from "../set_leaf.ts";
import { isHostWritable } from "../spte_bits.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, dropSpte, prepareZap } from "../zap.ts";
import { contextOf } from "./context_of.ts";
import { gpteAccess } from "../guest/guest_walker.ts";
import { isBadMemoryType } from "../guest/walk_addr.ts";
import { rmapWriteProtect } from "./rmap.ts";
import { isValidIndirect, unlinkUnsyncPage, unsyncPagesBelow } from "./unsync.ts";

/** Pages that are synced before the lock may be given up for a moment (`KVM_PAGE_ARRAY_NR`). */
const BATCH_PAGES = 16;

/** A guest entry of level 1 as KVM takes it up. Reused. */
export class Gpte {
  /** Bits 31:0. */
  lo = 0;
  /** Bits 63:32. */
  hi = 0;
  /** The frame. */
  gfn: Gfn = 0;
  /** What it allows in its page: exec 1, write 2, user 4; no write while it is clean. */
  access = 0;
}

/**
 * Reads the guest entry that an entry of a level-1 page shadows.
 *
 * @returns Whether there is memory to read it from.
 */
export function readGpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number, into: Gpte): boolean {
  const { tables, role } = contextOf(vcpu).walk;
  const table = tables.find(addressLo(mmu.pool.gfn[page]), addressHi(mmu.pool.gfn[page]));
  if (table < 0) return false;
  mmu.counters.counts[Work.gptesRead]++;
  // Not by the page's role, which may be wrong about L1's EPT; see NestedRules.gpteSize.
  if (!role.eightBytes) {
    into.lo = tables.lanes[table + quadrantOf(mmu.pool.role[page]) * 512 + index];
    into.hi = 0;
  } else {
    into.lo = tables.lanes[table + 2 * index];
    into.hi = tables.lanes[table + 2 * index + 1];
  }
  return true;
}

/**
 * Whether a guest entry of level 1 cannot be shadowed ahead of time: it is not present, has reserved bits, or was never
 * used (`prefetch_invalid_gpte`). If it can, `gpte` is told what it maps.
 */
export function isUsableGpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, gpte: Gpte): boolean {
  const { role } = contextOf(vcpu).walk;
  const { lo, hi } = gpte;
  if ((lo & role.present) === 0 || (lo & role.accessed) !== role.accessed || isBadMemoryType(role, lo)) return false;
  if (((lo & role.reserved[((lo & 0x80) >> 4) | 1]) | (hi & role.reservedHi)) !== 0) return false;
  gpte.gfn = pfnOfLanes(lo, hi);
  gpte.access = accessOf(mmu.pool.role[page]) & gpteAccess(role.ept, lo, hi);
  if ((lo & role.dirty) !== role.dirty) gpte.access &= ~ACC_WRITE;
  return true;
}

const gpte = new Gpte();
const mapping: Mapping = { gfn: 0, level: 1, slot: undefined, pfn: 0, writable: false };

/**
 * Makes a level-1 page agree with its guest table (`FNAME(sync_page)`). An MMIO spte whose frame is still the same is
 * stamped with the generation of now, and whether the frame still has no slot is not asked. Under `mmu_lock`. O(512).
 *
 * @returns Whether the page is worth nothing any more: the table cannot be read, or nothing is mapped.
 */
function syncPage(mmu: Mmu, vcpu: VcpuMmu, page: PageId): boolean {
  const { pool, layout, shadow } = mmu;
  let present = 0;
  mmu.execution.touched |= WRITES_TABLES;
  mmu.counters.counts[Work.pagesSynced]++;
  for (let index = 0; index < 512; index++) {
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    if ((lo | hi) === 0) continue;
    if (!readGpte(mmu, vcpu, page, index, gpte)) return true;
    if (!isUsableGpte(mmu, vcpu, page, gpte)) dropWithoutFlush(mmu, page, index);
    else if (layout.isMmio(lo, hi)) {
      const looks = mmu.faultRules.syncedMmioSpte === "looked-up";
      if (layout.gfnOf(lo, hi) === gpte.gfn && !(looks && mmu.slotOf(vcpu, gpte.gfn) !== undefined)) {
        present++;
        markMmioSpte(mmu, vcpu, page, index, gpte.gfn, gpte.access);
      } else mmu.setSpte(page, index, 0, 0);
    } else if (shadow.gfnOf(page, index) !== gpte.gfn) dropWithoutFlush(mmu, page, index);
    else {
      present++;
      mapping.gfn = gpte.gfn;
      mapping.slot = mmu.slotOf(vcpu, gpte.gfn);
      mapping.pfn = pfnOfLanes(lo, hi);
      mapping.writable = isHostWritable(mmu.bits, lo, hi);
      setSpte(mmu, page, index, mapping, 1, gpte.access, true, false);
    }
  }
  return present === 0;
}

/** The TLBs of other vCPUs are left as they are until something else flushes them. */
function dropWithoutFlush(mmu: Mmu, page: PageId, index: number): void {
  dropSpte(mmu, page, index);
  mmu.shadow.tlbsDirty = true;
}

/**
 * Brings a page up to date, or zaps it (`__kvm_sync_page`).
 *
 * @param clear Whether it then counts as up to date. If not, the guest may still write its table.
 * @returns Whether it was zapped.
 */
function syncOrZap(mmu: Mmu, vcpu: VcpuMmu, page: PageId, clear: boolean): boolean {
  const format = contextOf(vcpu).walk.role.format;
  const sameFormat = hasFourByteGptes(mmu.pool.role[page]) === (format.entryBytes === 4);
  if (sameFormat && clear) unlinkUnsyncPage(mmu, page);
  if (!sameFormat || syncPage(mmu, vcpu, page)) {
    prepareZap(mmu, page);
    return true;
  }
  mmu.flushLocalTlb(vcpu);
  return false;
}

/** Brings a page up to date that stays as it is, or zaps and frees it (`kvm_sync_page_transient`); whether it was zapped. */
export function syncPageTransient(mmu: Mmu, vcpu: VcpuMmu, page: PageId): boolean {
  const zapped = syncOrZap(mmu, vcpu, page, false);
  if (zapped) commitZap(mmu);
  return zapped;
}

/** Brings all pages of a table up to date, since it is write-protected now (`kvm_sync_pages`). */
export function syncPages(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn): void {
  const { pool } = mmu;
  // Zapped pages stay in the hash until they are freed.
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (isValidIndirect(mmu, page, gfn) && pool.isUnsync(page)) syncOrZap(mmu, vcpu, page, true);
  }
  commitZap(mmu);
}

/** Brings all pages below a page up to date, with a lock break after every 16 (`mmu_sync_children`). Under `mmu_lock`. */
function* syncChildren(mmu: Mmu, vcpu: VcpuMmu, page: PageId): Protocol<void> {
  for (;;) {
    const batch = unsyncPagesBelow(mmu, page).slice(0, BATCH_PAGES);
    if (batch.length === 0) return;
    let flush = false;
    for (const child of batch) if (rmapWriteProtect(mmu, vcpu.asId, mmu.pool.gfn[child])) flush = true;
    if (flush) mmu.flushRemoteTlbs();
    for (const child of batch) if (mmu.pool.isUnsync(child)) syncOrZap(mmu, vcpu, child, true);
    commitZap(mmu);
    if (batch.length < BATCH_PAGES) continue;
    yield mmu.lock.leave;
    yield mmu.lock.acquire;
  }
}

/**
 * Brings all that a vCPU uses up to date, and forgets its MMIO address (`kvm_mmu_sync_roots`). Takes `mmu_lock`.
 */
export function* syncRoots(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const { shadow: context } = vcpu;
  yield mmu.lock.acquire;
  if (context !== undefined && !context.nonpaging && vcpu.root !== NO_PAGE) {
    vcpu.cache.gva = 0;
    mmu.execution.touched |= READS_TABLES;
    if (context.isLongMode) yield* syncChildren(mmu, vcpu, vcpu.root);
    else for (const root of context.paeRoots) if (root !== NO_PAGE) yield* syncChildren(mmu, vcpu, root);
  }
  yield mmu.lock.leave;
}
