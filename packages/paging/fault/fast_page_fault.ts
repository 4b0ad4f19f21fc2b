import { markPageDirty } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { FAST_PAGE_FAULT } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { walkShadow } from "../pages/shadow_walk.ts";
import { isLast, isMmuWritable, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { sptepOf } from "../trace_page.ts";
import { READS_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

const FAST = PFERR_PRESENT | PFERR_WRITE;

/**
 * Fixes a write fault without `mmu_lock` where the entry was only write-protected for dirty logging (`fast_page_fault`,
 * 3.11 and 4.10 mmu.c). The compare-and-exchange is one atomic act here.
 *
 * @param level The level at which the fault would be mapped.
 * @returns Whether the guest may try again; if not, the fault goes the long way.
 */
export function fastPageFault(mmu: Mmu, vcpu: VcpuMmu, gpa: number, level: number, errorCode: number): boolean {
  if ((errorCode & PFERR_RSVD) !== 0 || (errorCode & FAST) !== FAST) return false;
  const gfn = Math.floor(gpa / 4096);
  mmu.execution.touched |= READS_TABLES;
  walkShadow(mmu, vcpu, gfn, level);
  const { page, index, lo, hi } = vcpu.walk;
  const again = tryFix(mmu, vcpu, level);
  if (mmu.trace.on) {
    const newLo = mmu.pool.lo(page, index);
    const spurious = again && (lo & SPTE_WRITABLE) !== 0 ? 1 : 0;
    const fixed = again && (newLo & SPTE_WRITABLE) !== 0 ? 2 : 0;
    const newHi = mmu.pool.hi(page, index);
    const sptep = sptepOf(mmu, page, index);
    mmu.trace.emit(FAST_PAGE_FAULT, vcpu.index, gpa, errorCode, sptep, lo, hi, newLo, newHi, spurious | fixed);
  }
  return again;
}

function tryFix(mmu: Mmu, vcpu: VcpuMmu, level: number): boolean {
  const { page, index, lo, hi } = vcpu.walk;
  if (!mmu.isPresent(lo, hi)) return true;
  if (!isLast(lo, level)) return false;
  if ((lo & SPTE_WRITABLE) !== 0) return true;
  if (!isMmuWritable(mmu.bits, lo, hi)) return false;
  // Of a large page only one page would be marked dirty; the long way makes a small one.
  if (vcpu.walk.level > 1 && mmu.pageRules.loggedLargePage === "write-protected") return false;
  mmu.counters.counts[Work.sptesWritten]++;
  mmu.setSpte(page, index, lo | SPTE_WRITABLE, hi);
  const gfn = mmu.pool.gfn[page] + index;
  const slot = mmu.slotOf(vcpu, gfn);
  if (slot !== undefined) markPageDirty(slot, gfn);
  return true;
}
