import { type Mmu, mmuPageFault, type VcpuMmu } from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { KVM_PAGE_FAULT } from "@mmu-lab/tracing";

/**
 * Handles a nested page fault (`pf_interception`, 3.11 svm.c; facts sheet 3.6, 7.6). EXITINFO1 is a page-fault error
 * code as it stands, but 3.11 keeps 32 bits of it; so a fault for a reserved bit reaches the MMIO path of the page-fault
 * handler.
 *
 * @returns 1: run the guest on; 0: exit to user space; negative: an error, `RET_MMIO_PF_BUG` among them.
 */
export function* handleNestedPageFault(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
  const { gpa, info1 } = vcpu.exit;
  const errorCode = info1 >>> 0;
  if (mmu.trace.on) mmu.trace.emit(KVM_PAGE_FAULT, vcpu.index, 0, gpa, gpa / 2 ** 32, errorCode);
  return yield* mmuPageFault(mmu, vcpu, gpa, errorCode);
}
