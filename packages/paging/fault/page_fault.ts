import type { Protocol } from "@mmu-lab/protocol";
import { MMU_PAGE_FAULT, MMU_PAGE_FAULT_RET } from "@mmu-lab/tracing";
import { doPageFault } from "./do_page_fault.ts";
import { highWord } from "../linear_address.ts";
import type { Mmu } from "../mmu.ts";
import { matchesMmioCache, shadowsTables } from "../mmio/mmio_page_fault.ts";
import { shadowPageFault } from "../shadow/shadow_page_fault.ts";
import { tdpPageFault } from "./tdp_page_fault.ts";
import { CHECK_MMIO_CACHE } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/**
 * Handles a page fault and emulates if need be (`kvm_mmu_page_fault`, 3.11; facts sheet 2.6), or lets {@linkcode doPageFault}
 * do so.
 *
 * @param address The address that faulted: guest-physical, or linear without two-dimensional paging.
 * @param errorCode PFERR bits.
 * @returns 1: run the guest on; 0: exit to user space; negative: an error.
 */
export function* mmuPageFault(mmu: Mmu, vcpu: VcpuMmu, address: number, errorCode: number): Protocol<number> {
  const { trace } = mmu;
  vcpu.forgetExit();
  mmu.execution.keepOnly(address, errorCode);
  if (trace.on) trace.emit(MMU_PAGE_FAULT, vcpu.index, address, highWord(address), errorCode);
  const result = mmu.faultRules.handler === "by-mode"
    ? yield* faultAndEmulate(mmu, vcpu, address, errorCode)
    : yield* doPageFault(mmu, vcpu, address, errorCode);
  if (trace.on) trace.emit(MMU_PAGE_FAULT_RET, vcpu.index, result);
  return result;
}

function* faultAndEmulate(mmu: Mmu, vcpu: VcpuMmu, address: number, errorCode: number): Protocol<number> {
  const fault = shadowsTables(vcpu)
    ? yield* shadowPageFault(mmu, vcpu, address, errorCode >>> 0)
    : yield* tdpPageFault(mmu, vcpu, address, errorCode >>> 0);
  if (fault < 0) return fault;
  if (fault === 0) return 1;
  // However it came to be emulated.
  mmu.execution.keepOnly(address);
  yield CHECK_MMIO_CACHE;
  const retry = !matchesMmioCache(mmu, vcpu, address);
  const emulated = yield* mmu.emulator.emulate(vcpu, address, retry);
  if (emulated === "do-mmio") mmu.stats.mmio_exits++;
  return emulated === "done" ? 1 : 0;
}
