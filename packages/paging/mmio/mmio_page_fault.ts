import { type Protocol, Work } from "@mmu-lab/protocol";
import { HANDLE_MMIO_PAGE_FAULT, MMIO_PAGE_FAULT, MMIO_PAGE_FAULT_RET } from "@mmu-lab/tracing";
import { highWord, linearPage } from "../linear_address.ts";
import { checkMmioSpte } from "./mmio_spte.ts";
import type { Mmu } from "../mmu.ts";
import { walkShadow } from "../pages/shadow_walk.ts";
import { CHECK_GENERATION, CHECK_MMIO_CACHE, FILL_MMIO_CACHE, LOCKLESS_WALK } from "../steps.ts";
import { READS_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** What becomes of a fault on an MMIO spte (`RET_MMIO_PF_*`, 3.11 mmu.h; facts sheet 2.6). */
export const MmioFault: { readonly EMULATE: 1; readonly INVALID: 2; readonly RETRY: 0; readonly BUG: -1 } = {
  /** It is an MMIO access: emulate it. */
  EMULATE: 1,
  /** The MMIO spte is stale: go the long way, which refreshes it. */
  INVALID: 2,
  /** The entry has changed or gone: let the processor try again. */
  RETRY: 0,
  /** The entry is neither MMIO nor gone. */
  BUG: -1,
};

/** One of the values of {@linkcode MmioFault}. */
export type MmioFaultResult = (typeof MmioFault)[keyof typeof MmioFault];

/**
 * Handles a fault that an MMIO spte caused, without a lock (`handle_mmio_page_fault_common`, 3.11 mmu.c; facts sheet
 * 2.7): the vCPU's own cache first, then the spte and its generation.
 *
 * @param gpa The address that faulted: guest-physical, or linear where guest tables are shadowed.
 */
export function* handleMmioPageFault(mmu: Mmu, vcpu: VcpuMmu, gpa: number): Protocol<MmioFaultResult> {
  const { trace } = mmu;
  if (trace.on) {
    const { gva, gfn, generation } = vcpu.cache;
    const above = Math.floor(generation / 2 ** 32);
    trace.emit(
      MMIO_PAGE_FAULT,
      vcpu.index,
      gpa,
      highWord(gpa),
      isDirect(vcpu) ? 1 : 0,
      gva,
      gfn,
      generation,
      above,
    );
  }
  const result = yield* handle(mmu, vcpu, gpa);
  if (trace.on) trace.emit(MMIO_PAGE_FAULT_RET, vcpu.index, result);
  return result;
}

function* handle(mmu: Mmu, vcpu: VcpuMmu, gpa: number): Protocol<MmioFaultResult> {
  const { counts } = mmu.counters;
  const direct = isDirect(vcpu);
  yield CHECK_MMIO_CACHE;
  if (matchesMmioCache(mmu, vcpu, gpa)) {
    counts[Work.mmioCacheHits]++;
    return MmioFault.EMULATE;
  }
  yield LOCKLESS_WALK;
  mmu.execution.touched |= READS_TABLES;
  walkShadow(mmu, vcpu, linearPage(gpa));
  const { lo, hi } = vcpu.walk;
  mmu.execution.observe(lo);
  mmu.execution.observe(hi);
  if (mmu.layout.isMmio(lo, hi)) {
    yield CHECK_GENERATION;
    if (!checkMmioSpte(mmu, vcpu, lo, hi)) {
      counts[Work.mmioRefaults]++;
      return MmioFault.INVALID;
    }
    const gfn = mmu.layout.gfnOf(lo, hi);
    const access = mmu.layout.accessOf(lo, hi);
    const gva = direct ? 0 : gpa;
    if (mmu.trace.on) mmu.trace.emit(HANDLE_MMIO_PAGE_FAULT, vcpu.index, gva, highWord(gva), gfn, access);
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(gva, gfn, access, mmu.cacheSlotsOf(vcpu));
    counts[Work.mmioFastHits]++;
    return MmioFault.EMULATE;
  }
  return !direct || mmu.pool.isEmpty(lo, hi) || mmu.faultRules.unexpectedSpte === "retry"
    ? MmioFault.RETRY
    : MmioFault.BUG;
}

/** Whether KVM shadows guest tables for what a vCPU runs: linear addresses by its own, or L1's EPT (`!direct_map`). */
export function shadowsTables(vcpu: VcpuMmu): boolean {
  return vcpu.shadow !== undefined && !vcpu.shadow.nonpaging;
}

/** Whether the addresses of a vCPU's faults are not linear ones (`direct_map || mmu_is_nested`). */
function isDirect(vcpu: VcpuMmu): boolean {
  return !shadowsTables(vcpu) || vcpu.inL2;
}

/** Whether a fault is for the page in the vCPU's MMIO cache (`quickly_check_mmio_pf`, `is_mmio_page_fault`). */
export function matchesMmioCache(mmu: Mmu, vcpu: VcpuMmu, address: number): boolean {
  const slots = mmu.cacheSlotsOf(vcpu);
  if (vcpu.inL2) return vcpu.cache.matchesNestedGpa(address, slots);
  return shadowsTables(vcpu) ? vcpu.cache.matchesGva(address, slots) : vcpu.cache.matchesGpa(address, slots);
}
