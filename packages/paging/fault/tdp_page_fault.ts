import { pagesPerEntry } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { fastPageFault } from "./fast_page_fault.ts";
import { makePagesAvailable } from "../pages/reclaim.ts";
import { adjustToTransparentHugePage, directMap, isReadOnly, mapMemory, mappingLevel } from "../pages/map.ts";
import { handleMmioPageFault, MmioFault } from "../mmio/mmio_page_fault.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { RetPf } from "./ret_pf.ts";
import type { Mapping } from "../pages/set_leaf.ts";
import { writesUpperTable } from "../shadow/write_tracking.ts";
import { FILL_MMIO_CACHE, LOOK_UP_SLOT, STAMP_MMIO_SPTE } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** What a page-fault handler asks for: negative an error, 0 let the guest run on, positive emulate. */
export type PageFaultResult = number;

/** The largest level of shadow tables with the three levels of PAE, which a guest with paging off has. */
export const NONPAGING_LEVEL = 2;

/**
 * The page fault of a direct MMU: one with two-dimensional paging, or with shadow tables for a guest that has paging off
 * (`tdp_page_fault`, and `nonpaging_page_fault`, which differs in what the MMIO cache is told; 3.11 mmu.c, facts sheet
 * 3.4).
 *
 * @param gpa The guest-physical address that faulted.
 * @param errorCode PFERR bits.
 */
export function* tdpPageFault(mmu: Mmu, vcpu: VcpuMmu, gpa: number, errorCode: number): Protocol<PageFaultResult> {
  if ((errorCode & PFERR_RSVD) !== 0) {
    const result = yield* handleMmioPageFault(mmu, vcpu, gpa);
    if (result !== MmioFault.INVALID) return result;
  }
  const gfn = Math.floor(gpa / 4096);
  const write = (errorCode & PFERR_WRITE) !== 0;
  if (writesUpperTable(mmu, vcpu, gfn, errorCode)) return 1;

  // The stale MMIO spte, if one led here, is in no local variable any more, and how a page was missed only counts for writes.
  mmu.execution.keepOnly(gpa, write ? errorCode : 0);
  yield LOOK_UP_SLOT;
  const levelSlot = mmu.slotOf(vcpu, gfn);
  const forceSmall = levelSlot === undefined || levelSlot.invalid || levelSlot.dirtyBitmap !== null;
  const largest = forceSmall ? 1 : mappingLevel(mmu, levelSlot, gfn);
  const level = vcpu.shadow === undefined ? largest : Math.min(largest, NONPAGING_LEVEL);
  mmu.execution.observe(forceSmall ? 0 : level);
  const mapping: Mapping = {
    gfn: gfn - (gfn % pagesPerEntry(level)),
    level,
    slot: undefined,
    pfn: 0,
    writable: false,
  };
  if (fastPageFault(mmu, vcpu, gpa, level, errorCode)) return 0;

  mmu.counters.counts[Work.slowFaults]++;
  yield LOOK_UP_SLOT;
  const found = mmu.slotOf(vcpu, mapping.gfn);
  if (found?.invalid && mmu.faultRules.invalidSlot === "retry") return 0;
  const slot = mmu.keepSlot(found);
  if (slot === undefined) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(vcpu.shadow === undefined ? 0 : gpa, mapping.gfn, ACC_ALL, mmu.cacheSlotsOf(vcpu));
    // kvm_handle_noslot_fault (6.1): without MMIO sptes the access is emulated, each time anew.
    if (!mmu.layout.cachingEnabled) return 1;
  } else {
    // A write to a read-only slot is emulated, and leaves no spte (KVM_PFN_ERR_RO_FAULT).
    if (write && isReadOnly(slot)) return 1;
    mapMemory(mmu, mapping, slot);
  }
  const isMmio = mapping.slot === undefined;
  yield isMmio && vcpu.shadow === undefined ? mmu.lock.enter : mmu.lock.acquire;
  makePagesAvailable(mmu);
  if (isMmio) yield STAMP_MMIO_SPTE;
  else if (!forceSmall) adjustToTransparentHugePage(mmu, vcpu, mapping);
  const result = directMap(mmu, vcpu, gfn, mapping, write);
  mmu.stats.pf_fixed++;
  yield mmu.lock.leave;
  return result === RetPf.EMULATE || result === RetPf.WRITE_PROTECTED ? 1 : 0;
}
