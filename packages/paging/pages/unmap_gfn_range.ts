import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { UNMAP_GFN_RANGE, UNMAP_GFN_RANGE_RET } from "@mmu-lab/tracing";
import { eachSlotMapping } from "./each_mapping.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { zapTablePages } from "../shadow/unprotect_page.ts";
import { unmapSlotOfTdp } from "../tdp-mmu/unmap_slot.ts";
import { WRITES_TABLES } from "../touches.ts";
import { commitZap, zapPresent } from "./zap.ts";

/**
 * Empties every mapping of a slot's gfns, and flushes the TLBs if one was in use (`kvm_arch_flush_shadow_memslot` with
 * KVM_X86_QUIRK_SLOT_ZAP_ALL disabled, by way of `kvm_unmap_gfn_range`, 6.12; facts sheet 4.7). Tables stay, but for those that
 * shadow a guest table in the slot (`kvm_mmu_zap_memslot_pages_and_flush`). MMIO sptes stay, in the range too: they are not
 * present. A large page goes whole, though part of it be another slot's.
 *
 * @param slot The slot as it was.
 */
export function* unmapGfnRange(mmu: Mmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquire;
  const { trace } = mmu;
  if (trace.on) trace.emit(UNMAP_GFN_RANGE, -1, slot.baseGfn, slot.baseGfn + slot.npages);
  mmu.execution.touched |= WRITES_TABLES;
  const flush = mmu.tdp === undefined
    ? eachSlotMapping(mmu, slot, 1, 3, zapMapping)
    : unmapSlotOfTdp(mmu, mmu.tdp, slot);
  if (trace.on) trace.emit(UNMAP_GFN_RANGE_RET, -1, flush ? 1 : 0);
  if (mmu.shadow.indirectPages > 0) zapGuestTables(mmu, slot);
  if (flush) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}

function zapMapping(mmu: Mmu, page: PageId, index: number): boolean {
  zapPresent(mmu, page, index);
  return true;
}

/** Zaps the pages that shadow a guest table in the slot, for what is kept of such tables goes with the slot. */
function zapGuestTables(mmu: Mmu, slot: Memslot): void {
  for (let gfn = slot.baseGfn; gfn < slot.baseGfn + slot.npages; gfn++) zapTablePages(mmu, gfn);
  commitZap(mmu);
}
