import type { Mmu } from "../mmu.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";

/**
 * Lets the guest have the page fault that its last walk found (`kvm_inject_page_fault`, 3.11 x86.c); in L2 it is a fault of
 * L1's EPT, which L1 gets as an exit (`nested_ept_inject_page_fault`, 4.10 vmx.c).
 */
export function injectPageFault(mmu: Mmu, vcpu: VcpuMmu): void {
  contextOf(vcpu).faultPending = true;
  if (!vcpu.inL2) mmu.stats.pf_guest++;
}
