import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { READS_REQUESTS } from "./touches.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/**
 * Flushes the vCPU's TLB if it was asked to (`KVM_REQ_TLB_FLUSH` in `vcpu_enter_guest`).
 *
 * @returns Whether it was.
 */
export function flushIfAsked(mmu: Mmu, vcpu: VcpuMmu): boolean {
  mmu.execution.touched |= READS_REQUESTS;
  if (!vcpu.flushRequested) return false;
  vcpu.flushRequested = false;
  if (vcpu.flushIsCounted && mmu.pageRules.countedFlushes === "done") mmu.stats.tlb_flush++;
  vcpu.flushIsCounted = false;
  mmu.counters.counts[Work.tlbFlushes]++;
  vcpu.tlb.flush();
  return true;
}
