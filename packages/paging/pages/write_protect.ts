import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { eachMapping, eachSlotMapping } from "./each_mapping.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { protectLogged } from "../shadow/rmap.ts";
import { updateSpte } from "./set_leaf.ts";
import { clearDirtyGfn } from "../tdp-mmu/dirty_log.ts";
import { WRITES_TABLES } from "../touches.ts";

/**
 * Sees to it that the first write to each page of a slot is noticed: write access goes from every mapping, and large ones may
 * go (`kvm_mmu_slot_remove_write_access`, 3.11 and 6.1); where the processor logs dirty pages, the dirty bit from those of 4 KiB
 * (`kvm_mmu_slot_leaf_clear_dirty`, 6.1). Takes `mmu_lock`. O(pages of the slot).
 */
export function* removeWriteAccess(mmu: Mmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  const bits = mmu.pageRules.dirtyLog === "dirty-bit";
  const cleared = bits && eachSlotMapping(mmu, slot, 1, 1, clearDirty);
  const taken = eachSlotMapping(mmu, slot, bits ? 2 : 1, 3, protectLogged);
  if (cleared || taken || mmu.pageRules.flushedSlot === "always") mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}

/**
 * Hands out the dirty bitmap of a slot and clears it, and lets the next write to the pages that were dirty be noticed
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
  const renew = mmu.pageRules.dirtyLog === "dirty-bit" ? clearDirty : protectLogged;
  for (const page of dirty) {
    if (mmu.tdp === undefined) eachMapping(mmu, slot.asId, slot.baseGfn + page, 1, renew);
    else clearDirtyGfn(mmu, mmu.tdp, slot, slot.baseGfn + page);
  }
  if (dirty.length > 0) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
  return dirty;
}

/** Takes the dirty bit from a mapping, so that the processor logs the next write (`spte_clear_dirty`, 6.1). */
function clearDirty(mmu: Mmu, page: PageId, index: number): boolean {
  const lo = mmu.pool.lo(page, index);
  if ((lo & mmu.bits.dirty) !== 0) updateSpte(mmu, page, index, lo & ~mmu.bits.dirty, mmu.pool.hi(page, index));
  return (lo & mmu.bits.dirty) !== 0;
}
