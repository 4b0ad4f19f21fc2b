/**
 * What a fault makes of the guest's own mapping of the page, as the last walk left it (`FNAME(page_fault)`).
 *
 * @module
 */
import { pagesPerEntry } from "@mmu-lab/memslots";
import { ACC_EXEC, ACC_USER, ACC_WRITE } from "@mmu-lab/spte-encoding";
import { type GuestWalker, Place } from "../guest/guest_walker.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import type { ShadowContext } from "./shadow_context.ts";

/** Whether a large page maps a table that its own address is translated by (`FNAME(is_self_change_mapping)`). */
export function isSelfChange({ walker, paging }: ShadowContext, user: boolean): boolean {
  if ((walker.pteAccess & ACC_WRITE) === 0 && (paging.cr0Wp === true || user)) return false;
  const pages = pagesPerEntry(walker.level);
  for (let level = walker.level; level <= walker.maxLevel; level++) {
    if (Math.floor(walker.gfn / pages) === Math.floor(walker.tableGfn(level) / pages)) return true;
  }
  return false;
}

/**
 * What the guest allows in the page, and beyond that, a write of the supervisor to what is write-protected while CR0.WP is
 * clear. Not for MMIO sptes: it would hold for all.
 *
 * @returns Exec 1, write 2, user 4.
 */
export function accessWithoutWp({ walker, paging }: ShadowContext, write: boolean, user: boolean): number {
  const access = walker.pteAccess;
  if (!write || (access & ACC_WRITE) !== 0 || paging.cr0Wp === true || user) return access;
  return (access | ACC_WRITE) & ~ACC_USER & ~(paging.cr4Smep === true ? ACC_EXEC : 0);
}

/**
 * What a walk leaves behind is kept until the mapping is made, with the address and who asked for what. What else the error
 * code says only counts for writes.
 */
export function observeWalk(mmu: Mmu, walker: GuestWalker, address: number, errorCode: number): void {
  mmu.execution.keepOnly(address, (errorCode & PFERR_WRITE) !== 0 ? errorCode : errorCode & PFERR_USER);
  mmu.execution.observe(walker.gfn);
  mmu.execution.observe(walker.pteAccess);
  for (let level = walker.level; level <= walker.maxLevel + 1; level++) {
    mmu.execution.observe(walker.places[(level << Place.SHIFT) | Place.PTE_LO]);
    mmu.execution.observe(walker.places[(level << Place.SHIFT) | Place.PTE_HI]);
    mmu.execution.observe(walker.pteLo(level));
  }
}
