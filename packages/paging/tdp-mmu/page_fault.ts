import { hashSlot, type Memslot } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { isReadOnly } from "../map.ts";
import { handleMmioPageFault, MmioFault } from "../mmio_page_fault.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_GUEST_PAGE, PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "../pferr.ts";
import { CHECK_MMIO_CACHE, FILL_MMIO_CACHE, LOOK_UP_SLOT } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { fastTdpFault } from "./fast_fault.ts";
import { tdpMap } from "./map.ts";
import { RetPf, type RetPfResult } from "./ret_pf.ts";
import { isObsoleteRoot } from "./roots.ts";
import type { TdpMmu } from "./tdp_mmu.ts";

/**
 * Handles a page fault and emulates if need be (`kvm_mmu_page_fault`, 6.1 mmu.c; facts sheet 3.6): a reserved bit leads to
 * the MMIO sptes first, and what they cannot answer to the handler proper.
 *
 * @param address The guest-physical address that faulted.
 * @param errorCode PFERR bits, those above bit 31 among them.
 * @returns 1: run the guest on; 0: exit to user space.
 */
export function* handleTdpFault(
  mmu: Mmu,
  tdp: TdpMmu,
  vcpu: VcpuMmu,
  address: number,
  errorCode: number,
): Protocol<number> {
  let result: RetPfResult = RetPf.INVALID;
  if ((errorCode & PFERR_RSVD) !== 0) {
    const mmio = yield* handleMmioPageFault(mmu, vcpu, address);
    if (mmio === MmioFault.EMULATE) return yield* emulate(mmu, vcpu, address, false);
    if (mmio !== MmioFault.INVALID) return 1;
  }
  // From here on nothing counts but address and error code, which are those of the last exit.
  mmu.execution.forget();
  mmu.stats.pf_taken++;
  const { fullErrorCode: full } = mmu.faultRules;
  result = yield* directPageFault(mmu, tdp, vcpu, address, full ? errorCode : errorCode >>> 0);
  if (result === RetPf.FIXED) mmu.stats.pf_fixed++;
  else if (result === RetPf.EMULATE) mmu.stats.pf_emulate++;
  else if (result === RetPf.SPURIOUS) mmu.stats.pf_spurious++;
  if (result !== RetPf.EMULATE) return 1;
  if (mmu.faultRules.tellsWriteProtected) return yield* emulate(mmu, vcpu, address, false);
  // A write to a guest table that is no table of KVM's: it is let through, not emulated (PFERR_NESTED_GUEST_PAGE).
  const present = PFERR_WRITE | PFERR_PRESENT;
  if ((errorCode & present) === present && Math.floor(errorCode / PFERR_GUEST_PAGE) % 2 === 1) return 1;
  yield CHECK_MMIO_CACHE;
  return yield* emulate(mmu, vcpu, address, !vcpu.cache.matchesGpa(address, mmu.cacheSlotsOf(vcpu)));
}

function* emulate(mmu: Mmu, vcpu: VcpuMmu, address: number, retry: boolean): Protocol<number> {
  return (yield* mmu.emulator.emulate(vcpu, address, retry)) === "done" ? 1 : 0;
}

/** The page fault of the TDP MMU (`direct_page_fault` by way of `kvm_mmu_do_page_fault`, 6.1 mmu.c; facts sheet 4.12). */
function* directPageFault(
  mmu: Mmu,
  tdp: TdpMmu,
  vcpu: VcpuMmu,
  gpa: number,
  errorCode: number,
): Protocol<RetPfResult> {
  const gfn = Math.floor(gpa / 4096);
  yield LOOK_UP_SLOT;
  // The slot is looked up once, as from 5.17 on.
  let slot: Memslot | undefined = mmu.slotOf(vcpu, gfn);
  if (mmu.execution.keepsObservations) hashSlot(slot, (value) => mmu.execution.observe(value));
  if ((errorCode & PFERR_RSVD) === 0) {
    const fast = fastTdpFault(mmu, vcpu, gpa, errorCode, slot);
    if (fast !== RetPf.INVALID) return fast;
  }
  mmu.counters.counts[Work.slowFaults]++;
  if (slot?.invalid) {
    if (mmu.faultRules.invalidSlot === "retry") return RetPf.RETRY;
    slot = undefined;
  }
  if (slot === undefined) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(0, gfn, ACC_ALL, mmu.cacheSlotsOf(vcpu));
    if (!mmu.layout.cachingEnabled || gfn > mmu.maxGfn) return RetPf.EMULATE;
  } else if ((errorCode & PFERR_WRITE) !== 0 && isReadOnly(slot)) {
    // KVM_PFN_ERR_RO_FAULT
    return RetPf.EMULATE;
  }
  // Not `enterRead`: others may write the same tables under the same lock.
  yield mmu.lock.acquireRead;
  // The root cannot become invalid any more: that takes the lock to write.
  const result = isObsoleteRoot(mmu, vcpu) ? RetPf.RETRY : yield* tdpMap(mmu, tdp, vcpu, gfn, slot);
  yield mmu.lock.leaveRead;
  return result;
}
