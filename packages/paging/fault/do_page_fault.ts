import type { Protocol } from "@mmu-lab/protocol";
import { directPageFault } from "./direct_page_fault.ts";
import { handleMmioPageFault, matchesMmioCache, MmioFault, shadowsTables } from "../mmio/mmio_page_fault.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_GUEST_PAGE, PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { RetPf, type RetPfResult } from "./ret_pf.ts";
import { indirectPageFault } from "../shadow/indirect_page_fault.ts";
import { CHECK_MMIO_CACHE } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/**
 * Handles a page fault and emulates if need be, as 6.1 does (`kvm_mmu_page_fault` and `kvm_mmu_do_page_fault`, 6.1 mmu.c;
 * facts sheet 3.6): a reserved bit leads to the MMIO sptes first, and what they cannot answer to the handler of the MMU,
 * which says what became of the fault.
 *
 * @param address The address that faulted: guest-physical, or linear where guest tables are shadowed.
 * @param errorCode PFERR bits, those above bit 31 among them.
 * @returns 1: run the guest on; 0: exit to user space.
 */
export function* doPageFault(mmu: Mmu, vcpu: VcpuMmu, address: number, errorCode: number): Protocol<number> {
  if ((errorCode & PFERR_RSVD) !== 0) {
    const mmio = yield* handleMmioPageFault(mmu, vcpu, address);
    if (mmio === MmioFault.EMULATE) return yield* emulate(mmu, vcpu, address, false);
    if (mmio !== MmioFault.INVALID) return 1;
  }
  // The stale MMIO spte, if one led here, is in no local variable any more.
  mmu.execution.keepOnly(address, errorCode);
  mmu.stats.pf_taken++;
  const { fullErrorCode: full, tellsWriteProtected } = mmu.faultRules;
  const code = full ? errorCode : errorCode >>> 0;
  const result: RetPfResult = shadowsTables(vcpu)
    ? yield* indirectPageFault(mmu, vcpu, address, code)
    : yield* directPageFault(mmu, vcpu, address, code);
  const emulates = result === RetPf.EMULATE || result === RetPf.WRITE_PROTECTED;
  if (emulates) mmu.stats.pf_emulate++;
  else if (result === RetPf.FIXED) mmu.stats.pf_fixed++;
  else if (result === RetPf.SPURIOUS) mmu.stats.pf_spurious++;
  if (!emulates) return 1;
  if (tellsWriteProtected) return yield* emulate(mmu, vcpu, address, result === RetPf.WRITE_PROTECTED);
  // A write to a guest table that is no table of KVM's: it is let through, not emulated (PFERR_NESTED_GUEST_PAGE).
  const present = PFERR_WRITE | PFERR_PRESENT;
  const forTable = (errorCode & present) === present && Math.floor(errorCode / PFERR_GUEST_PAGE) % 2 === 1;
  if (forTable && !shadowsTables(vcpu)) return 1;
  // However it came to be emulated.
  mmu.execution.keepOnly(address);
  yield CHECK_MMIO_CACHE;
  return yield* emulate(mmu, vcpu, address, !matchesMmioCache(mmu, vcpu, address));
}

function* emulate(mmu: Mmu, vcpu: VcpuMmu, address: number, retry: boolean): Protocol<number> {
  return (yield* mmu.emulator.emulate(vcpu, address, retry)) === "done" ? 1 : 0;
}
