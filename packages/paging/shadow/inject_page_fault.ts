import type { Protocol } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import { PFERR_PRESENT, PFERR_RSVD } from "../fault/pferr.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { invalidateAt } from "./invlpg.ts";

/**
 * Lets the guest have the page fault that its last walk found (`kvm_inject_page_fault`, 3.11 x86.c;
 * `kvm_inject_emulated_page_fault`, 6.1). If an entry is present that does not allow the access, later kernels forget first
 * what is mapped at the address, as a processor does. In L2 it is a fault of L1's EPT, which L1 gets as an exit
 * (`nested_ept_inject_page_fault`, 4.10 vmx.c).
 */
export function* injectPageFault(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const context = contextOf(vcpu);
  const { errorCode, addressLo, addressHi } = context.walker.fault;
  const denied = (errorCode & (PFERR_PRESENT | PFERR_RSVD)) === PFERR_PRESENT;
  if (denied && mmu.shadowRules.faultInvalidates && !context.nonpaging) {
    yield* invalidateAt(mmu, vcpu, (addressHi >>> 0) * 2 ** 20 + (addressLo >>> 12), vcpu.root);
    mmu.flushLocalTlb(vcpu);
  }
  context.faultPending = true;
  if (!vcpu.inL2) mmu.stats.pf_guest++;
}
