import { highWord, type Mmu, mmuPageFault, type VcpuMmu } from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { KVM_PAGE_FAULT } from "@mmu-lab/tracing";

/**
 * Which kernel's rules a nested MMU has, named by the kernel that was read and recorded:
 *
 * | rule | of EXITINFO1 the error code keeps | dirty bit of sptes that may be written |
 * |---|---|---|
 * | `3.11` | 32 bits | left to the processor |
 * | `4.10` | all, so also whether the fault was for an entry of the guest's tables | set by KVM |
 * | `6.1` | as 4.10, and the tracepoint shows all of it | as 4.10, and KVM's own bits are others |
 */
export type NptKernel = "3.11" | "4.10" | "6.1";

/**
 * Handles a nested page fault, or without nested paging a page fault (`pf_interception`, 3.11 svm.c; facts sheet 3.6,
 * 7.6). EXITINFO1 is a page-fault error code as it stands; so a fault for a reserved bit reaches the MMIO path of the
 * page-fault handler.
 *
 * @param kernel Whose rules.
 * @returns 1: run the guest on; 0: exit to user space; negative: an error, `RET_MMIO_PF_BUG` among them.
 */
export function* handleNestedPageFault(mmu: Mmu, vcpu: VcpuMmu, kernel: NptKernel): Protocol<number> {
  const { gpa, info1 } = vcpu.exit;
  const low = info1 >>> 0;
  const shown = kernel === "6.1" ? info1 : low;
  if (mmu.trace.on) mmu.trace.emit(KVM_PAGE_FAULT, vcpu.index, vcpu.rip, gpa, highWord(gpa), shown);
  return yield* mmuPageFault(mmu, vcpu, gpa, kernel === "3.11" ? low : info1);
}
