import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { adjustMapping } from "./adjust_mapping.ts";
import { fastDirectFault } from "./fast_direct_fault.ts";
import { makePagesAvailable } from "../pages/reclaim.ts";
import { directMap, isReadOnly } from "../pages/map.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { RetPf, type RetPfResult } from "./ret_pf.ts";
import { isObsoleteRoot } from "../root.ts";
import type { Mapping } from "../pages/set_leaf.ts";
import { FILL_MMIO_CACHE, LOOK_UP_SLOT, STAMP_MMIO_SPTE } from "../steps.ts";
import { tdpMap } from "../tdp-mmu/map.ts";
import { NONPAGING_LEVEL } from "./tdp_page_fault.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/**
 * The page fault of a direct MMU as in 6.1 (`direct_page_fault` by way of `kvm_tdp_page_fault` or `nonpaging_page_fault`, 6.1
 * mmu.c; facts sheet 4.12). The slot is looked up once, as from 5.17 on; a root that became obsolete meanwhile gets no
 * mapping.
 *
 * @param address The guest-physical address that faulted.
 * @param errorCode PFERR bits.
 */
export function* directPageFault(mmu: Mmu, vcpu: VcpuMmu, address: number, errorCode: number): Protocol<RetPfResult> {
  const gfn = Math.floor(address / 4096);
  yield LOOK_UP_SLOT;
  const found = mmu.slotOf(vcpu, gfn);
  if ((errorCode & PFERR_RSVD) === 0) {
    const fast = fastDirectFault(mmu, vcpu, address, errorCode, found);
    if (fast !== RetPf.INVALID) return fast;
  }
  mmu.counters.counts[Work.slowFaults]++;
  if (found?.invalid && mmu.faultRules.invalidSlot === "retry") return RetPf.RETRY;
  const write = (errorCode & PFERR_WRITE) !== 0;
  // How a page was missed only counts for writes.
  mmu.execution.keepOnly(address, write ? errorCode : 0);
  const slot = mmu.keepSlot(found);
  if (slot === undefined) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(vcpu.shadow === undefined ? 0 : address, gfn, ACC_ALL, mmu.cacheSlotsOf(vcpu));
    if (!mmu.layout.cachingEnabled || gfn > mmu.maxGfn) return RetPf.EMULATE;
  } else if (write && isReadOnly(slot)) {
    // KVM_PFN_ERR_RO_FAULT
    return RetPf.EMULATE;
  }
  if (mmu.tdp !== undefined) {
    // Not `enterRead`: others may write the same tables under the same lock.
    yield mmu.lock.acquireRead;
    // The root cannot become invalid any more: that takes the lock to write.
    const result = isObsoleteRoot(mmu, vcpu) ? RetPf.RETRY : yield* tdpMap(mmu, mmu.tdp, vcpu, gfn, slot);
    yield mmu.lock.leaveRead;
    return result;
  }
  yield slot === undefined && vcpu.shadow === undefined ? mmu.lock.enter : mmu.lock.acquire;
  makePagesAvailable(mmu);
  let result: RetPfResult = RetPf.RETRY;
  if (!isObsoleteRoot(mmu, vcpu)) {
    if (slot === undefined) yield STAMP_MMIO_SPTE;
    const mapping: Mapping = { gfn, level: 1, slot, pfn: 0, writable: slot !== undefined && !isReadOnly(slot) };
    adjustMapping(mmu, mapping, vcpu.shadow === undefined ? 3 : NONPAGING_LEVEL);
    result = directMap(mmu, vcpu, gfn, mapping, write);
  }
  yield mmu.lock.leave;
  return result;
}
