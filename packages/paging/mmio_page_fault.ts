import { type Protocol, Work } from "@mmu-lab/protocol";
import { HANDLE_MMIO_PAGE_FAULT, MMIO_PAGE_FAULT, MMIO_PAGE_FAULT_RET } from "@mmu-lab/tracing";
import { checkMmioSpte } from "./mmio_spte.ts";
import type { Mmu } from "./mmu.ts";
import { walkShadow } from "./shadow_walk.ts";
import { CHECK_GENERATION, CHECK_MMIO_CACHE, FILL_MMIO_CACHE, LOCKLESS_WALK } from "./steps.ts";
import { READS_TABLES } from "./touches.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

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
 * Handles a fault that an MMIO spte caused, without a lock (`handle_mmio_page_fault_common` with `direct`, 3.11 mmu.c;
 * facts sheet 2.7): the vCPU's own cache first, then the spte and its generation.
 *
 * @param gpa The guest-physical address that faulted.
 */
export function* handleMmioPageFault(mmu: Mmu, vcpu: VcpuMmu, gpa: number): Protocol<MmioFaultResult> {
  const { trace } = mmu;
  if (trace.on) {
    const { gva, gfn, generation } = vcpu.cache;
    const above = Math.floor(generation / 2 ** 32);
    trace.emit(MMIO_PAGE_FAULT, vcpu.index, gpa, gpa / 2 ** 32, 1, gva, gfn, generation, above);
  }
  const result = yield* handle(mmu, vcpu, gpa);
  if (trace.on) trace.emit(MMIO_PAGE_FAULT_RET, vcpu.index, result);
  return result;
}

function* handle(mmu: Mmu, vcpu: VcpuMmu, gpa: number): Protocol<MmioFaultResult> {
  const { counts } = mmu.counters;
  yield CHECK_MMIO_CACHE;
  if (vcpu.cache.matchesGpa(gpa, mmu.cacheSlotsOf(vcpu))) {
    counts[Work.mmioCacheHits]++;
    return MmioFault.EMULATE;
  }
  yield LOCKLESS_WALK;
  mmu.execution.touched |= READS_TABLES;
  walkShadow(mmu, vcpu, Math.floor(gpa / 4096));
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
    if (mmu.trace.on) mmu.trace.emit(HANDLE_MMIO_PAGE_FAULT, vcpu.index, 0, 0, gfn, access);
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(0, gfn, access, mmu.cacheSlotsOf(vcpu));
    counts[Work.mmioFastHits]++;
    return MmioFault.EMULATE;
  }
  return mmu.pool.isEmpty(lo, hi) || mmu.faultRules.unexpectedSpte === "retry" ? MmioFault.RETRY : MmioFault.BUG;
}
