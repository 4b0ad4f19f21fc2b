import { type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { writeProtectGfn } from "./shadow/rmap.ts";
import { clearDirtyGfn } from "./tdp-mmu/dirty_log.ts";
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
    for (let gfn = first; gfn < slot.baseGfn + slot.npages; gfn += pages) {
      writeProtectGfn(mmu, slot.asId, gfn, level, false);
    }
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
    if (mmu.tdp === undefined) writeProtectGfn(mmu, slot.asId, slot.baseGfn + page, 1, false);
    else clearDirtyGfn(mmu, mmu.tdp, slot, slot.baseGfn + page);
  }
  if (dirty.length > 0) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
  return dirty;
}
