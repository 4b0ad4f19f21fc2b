import { markPageDirty, type Memslot } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { FAST_PAGE_FAULT } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "./pferr.ts";
import { walkShadow } from "../pages/shadow_walk.ts";
import { isLast, isMmuWritable, SPTE_PRESENT, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { READS_TABLES } from "../touches.ts";
import { sptepOf } from "../trace_page.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { RetPf, type RetPfResult } from "./ret_pf.ts";

/**
 * Mends a fault of a direct MMU without `mmu_lock` where the entry was only write-protected for dirty logging
 * (`fast_page_fault`, 6.1 mmu.c). Where the processor keeps accessed bits, only a write to something present can be
 * such a fault. Walk, comparison and exchange are one atomic act (modelling choice).
 *
 * @param slot The slot of the gfn, as the fault has found it.
 * @returns `FIXED`, `SPURIOUS`, or `INVALID`: then the fault goes the long way.
 */
export function fastDirectFault(
  mmu: Mmu,
  vcpu: VcpuMmu,
  gpa: number,
  errorCode: number,
  slot: Memslot | undefined,
): RetPfResult {
  const present = (errorCode & PFERR_PRESENT) !== 0;
  const write = (errorCode & PFERR_WRITE) !== 0;
  if (present ? !write : mmu.bits.accessed !== 0) return RetPf.INVALID;
  mmu.execution.touched |= READS_TABLES;
  walkShadow(mmu, vcpu, Math.floor(gpa / 4096));
  const { page, index, lo, hi } = vcpu.walk;
  const result = tryFix(mmu, vcpu, gpa, write, slot);
  if (mmu.trace.on && page >= 0) {
    const outcome = result === RetPf.SPURIOUS ? 1 : result === RetPf.FIXED ? 2 : 0;
    const newLo = mmu.pool.lo(page, index);
    const newHi = mmu.pool.hi(page, index);
    const sptep = sptepOf(mmu, page, index);
    mmu.trace.emit(FAST_PAGE_FAULT, vcpu.index, gpa, errorCode, sptep, lo, hi, newLo, newHi, outcome);
  }
  if (result !== RetPf.INVALID) mmu.stats.pf_fast++;
  return result;
}

function tryFix(mmu: Mmu, vcpu: VcpuMmu, gpa: number, write: boolean, slot: Memslot | undefined): RetPfResult {
  const { page, index, level, lo, hi } = vcpu.walk;
  if (!mmu.isPresent(lo, hi) || !isLast(lo, level)) return RetPf.INVALID;
  if ((lo & (write ? SPTE_WRITABLE : SPTE_PRESENT)) !== 0) return RetPf.SPURIOUS;
  if (!write || !isMmuWritable(mmu.bits, lo, hi) || (level > 1 && slot?.dirtyBitmap != null)) return RetPf.INVALID;
  mmu.counters.counts[Work.sptesWritten]++;
  mmu.setSpte(page, index, lo | SPTE_WRITABLE, hi);
  if (slot !== undefined) markPageDirty(slot, Math.floor(gpa / 4096));
  return RetPf.FIXED;
}
