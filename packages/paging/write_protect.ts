import { type Gfn, type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { asIdOf, isDirect, levelOf } from "./role.ts";
import { SPTE_LARGE, SPTE_WRITABLE } from "./spte_bits.ts";
import { clearDirtyGfn } from "./tdp-mmu/dirty_log.ts";
import { dropSpte } from "./zap.ts";
import { WRITES_TABLES } from "./touches.ts";

/**
 * Takes write access from every mapping of a slot, so that the first write to each page is seen; large mappings go
 * (`kvm_mmu_slot_remove_write_access`, 3.11). Takes `mmu_lock`. O(pages of the slot).
 */
export function* removeWriteAccess(mmu: Mmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  for (let level = 1; level <= 3; level++) {
    const pages = pagesPerEntry(level);
    const first = slot.baseGfn - (slot.baseGfn % pages);
    for (let gfn = first; gfn < slot.baseGfn + slot.npages; gfn += pages) writeProtect(mmu, slot.asId, gfn, level);
  }
  mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}

/**
 * Hands out the dirty bitmap of a slot and clears it, and write-protects the pages that were dirty
 * (`kvm_vm_ioctl_get_dirty_log`, 3.11 x86.c). Takes `mmu_lock`.
 *
 * @param slot A slot that logs dirty pages.
 * @returns Page numbers within the slot that were dirty, in order.
 */
export function* getDirtyLog(mmu: Mmu, slot: Memslot): Protocol<number[]> {
  const bitmap = slot.dirtyBitmap!;
  const dirty: number[] = [];
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  for (let page = 0; page < slot.npages; page++) {
    if ((bitmap[page >>> 5] & (1 << (page & 31))) !== 0) dirty.push(page);
  }
  bitmap.fill(0);
  for (const page of dirty) {
    if (mmu.tdp === undefined) writeProtect(mmu, slot.asId, slot.baseGfn + page, 1);
    else clearDirtyGfn(mmu, mmu.tdp, slot, slot.baseGfn + page);
  }
  if (dirty.length > 0) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
  return dirty;
}

/**
 * Takes write access from all mappings of a gfn at a level, and drops large ones (`__rmap_write_protect`). Direct pages
 * need no reverse map: the pages that may map a gfn are those of its aligned gfn in the hash (modelling choice).
 */
function writeProtect(mmu: Mmu, asId: number, gfn: Gfn, level: number): void {
  const { pool, counters } = mmu;
  const tableGfn = gfn - (gfn % pagesPerEntry(level + 1));
  const index = (gfn - tableGfn) / pagesPerEntry(level);
  for (let page = pool.firstInBucket(tableGfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (pool.gfn[page] !== tableGfn || levelOf(pool.role[page]) !== level || !isDirect(pool.role[page])) continue;
    if (asIdOf(pool.role[page]) !== asId) continue;
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    counters.counts[Work.sptesVisited]++;
    if (!mmu.isPresent(lo, hi) || (lo & SPTE_WRITABLE) === 0) continue;
    if (level > 1) {
      if ((lo & SPTE_LARGE) === 0) continue;
      dropSpte(mmu, page, index);
      mmu.stats.largepages--;
    } else {
      counters.counts[Work.sptesWritten]++;
      mmu.setSpte(page, index, lo & ~SPTE_WRITABLE, hi);
    }
  }
}
