import { type Gfn, hashSlot, largePageAllowed, type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { fastPageFault } from "./fast_page_fault.ts";
import { makePagesAvailable } from "./get_page.ts";
import { directMap, hvaOf, isReadOnly, type Mapping } from "./map.ts";
import { handleMmioPageFault, MmioFault } from "./mmio_page_fault.ts";
import type { Mmu } from "./mmu.ts";
import { PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { FILL_MMIO_CACHE, LOOK_UP_SLOT, STAMP_MMIO_SPTE } from "./steps.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** What a page-fault handler asks for: negative an error, 0 let the guest run on, positive emulate. */
export type PageFaultResult = number;

/**
 * The page fault of an MMU with two-dimensional paging (`tdp_page_fault`, 3.11 mmu.c; facts sheet 3.4).
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

  yield LOOK_UP_SLOT;
  const levelSlot = mmu.slotOf(vcpu, gfn);
  const forceSmall = levelSlot === undefined || levelSlot.invalid || levelSlot.dirtyBitmap !== null;
  const level = forceSmall ? 1 : mappingLevel(mmu, levelSlot, gfn);
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
  const slot = mmu.slotOf(vcpu, mapping.gfn);
  if (mmu.execution.keepsObservations) hashSlot(slot, (value) => mmu.execution.observe(value));
  if (slot?.invalid && mmu.faultRules.invalidSlot === "retry") return 0;
  if (slot === undefined || slot.invalid) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(0, mapping.gfn, ACC_ALL, mmu.cacheSlotsOf(vcpu));
    // kvm_handle_noslot_fault (6.1): without MMIO sptes the access is emulated, each time anew.
    if (!mmu.layout.cachingEnabled) return 1;
  } else {
    // A write to a read-only slot is emulated, and leaves no spte (KVM_PFN_ERR_RO_FAULT).
    if (write && isReadOnly(slot)) return 1;
    mapping.slot = slot;
    mapping.pfn = mmu.host.pfn(hvaOf(slot, mapping.gfn));
    mapping.writable = !isReadOnly(slot);
  }
  const isMmio = mapping.slot === undefined;
  yield isMmio ? mmu.lock.enter : mmu.lock.acquire;
  makePagesAvailable(mmu);
  if (isMmio) yield STAMP_MMIO_SPTE;
  else if (!forceSmall) adjustToTransparentHugePage(mmu, vcpu, mapping);
  const emulate = directMap(mmu, vcpu, gfn, mapping);
  yield mmu.lock.leave;
  return emulate ? 1 : 0;
}

/** The largest level at which host page, processor and slot allow to map the gfn (`mapping_level`, 3.11). */
function mappingLevel(mmu: Mmu, slot: Memslot, gfn: Gfn): number {
  const largest = Math.min(mmu.host.mappingLevel(hvaOf(slot, gfn)), mmu.maxPageLevel);
  let level = 1;
  while (level < largest && largePageAllowed(slot, gfn, level + 1)) level++;
  return level;
}

/** Maps 2 MiB at once where the host has a transparent huge page (`transparent_hugepage_adjust`, 3.11). */
function adjustToTransparentHugePage(mmu: Mmu, vcpu: VcpuMmu, mapping: Mapping): void {
  const { slot, gfn } = mapping;
  if (slot === undefined || mapping.level !== 1 || mmu.maxPageLevel < 2) return;
  if (!mmu.host.isTransparentHuge(hvaOf(slot, gfn))) return;
  const current = mmu.slotOf(vcpu, gfn);
  if (current === undefined || !largePageAllowed(current, gfn, 2)) return;
  if (gfn % 512 !== mapping.pfn % 512) {
    // The kernel has a VM_BUG_ON here: a slot that was moved keeps the limits of its first place.
    mmu.warnings.push(`gfn 0x${gfn.toString(16)} and its huge page are not aligned to each other`);
    return;
  }
  mapping.level = 2;
  mapping.gfn = gfn - (gfn % 512);
  mapping.pfn -= mapping.pfn % 512;
}
