import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import {
  CHECK_MMIO_SPTE,
  MAKE_MMIO_SPTE,
  MAKE_MMIO_SPTE_RET,
  MARK_MMIO_SPTE,
  MARK_MMIO_SPTE_RAW,
  MMU_SPTE_SET,
} from "@mmu-lab/tracing";
import type { NewSpte } from "../pages/make_spte.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { sptepOf } from "../trace_page.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** The bits of an access that an MMIO spte may store, and that the tracepoint shows: write 2, user 4. */
const WRITE_USER = 6;
/** A local constant, for V8 reads an imported object from its module again at each use. */
const MARKED = Work.mmioSptesMarked;

const made: NewSpte = { lo: 0, hi: 0 };

/**
 * Makes an MMIO spte (`make_mmio_spte`, 6.1 spte.c; a part of `mark_mmio_spte` before). The generation is read here, late, from
 * the memslots as they are now; the decision that the gfn has no slot may be older (bug B02).
 *
 * @param access The access that the mapping allows: exec 1, write 2, user 4.
 */
export function makeMmioSpte(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn, access: number, into: NewSpte): void {
  const { layout, trace } = mmu;
  if (trace.on) trace.emit(MAKE_MMIO_SPTE, vcpu.index, gfn, access);
  const generation = mmu.strategy.stamp(mmu.slotsOf(vcpu), gfn);
  into.lo = layout.encodeLo(gfn, access, generation);
  into.hi = layout.encodeHi(gfn, access, generation);
  if (trace.on) trace.emit(MAKE_MMIO_SPTE_RET, vcpu.index, into.lo, into.hi);
}

/** Tells of an MMIO spte that is about to be written, or was (`trace_mark_mmio_spte`), and counts it. */
export function noteMmioSpte(
  mmu: Mmu,
  vcpu: VcpuMmu,
  sptep: number,
  gfn: Gfn,
  access: number,
  lo: number,
  hi: number,
): void {
  mmu.counters.counts[MARKED]++;
  if (!mmu.trace.on) return;
  const shown = mmu.faultRules.tracesSpteBits ? lo & 7 : access & WRITE_USER;
  mmu.trace.emit(MARK_MMIO_SPTE, vcpu.index, sptep, gfn, shown, mmu.layout.generationOf(lo, hi));
}

/**
 * Writes an MMIO spte (`mark_mmio_spte`, 3.11 and 6.1 mmu.c; facts sheet 2.4). Under `mmu_lock`.
 *
 * @param access The access that the mapping allows: exec 1, write 2, user 4.
 */
export function markMmioSpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number, gfn: Gfn, access: number): void {
  const { trace } = mmu;
  mmu.lock.assertHeld("write an MMIO spte");
  const sptep = trace.on ? sptepOf(mmu, page, index) : 0;
  if (trace.on) trace.emit(MARK_MMIO_SPTE_RAW, vcpu.index, sptep, gfn, access);
  makeMmioSpte(mmu, vcpu, gfn, access, made);
  const { lo, hi } = made;
  noteMmioSpte(mmu, vcpu, sptep, gfn, access, lo, hi);
  if (trace.on) trace.emit(MMU_SPTE_SET, vcpu.index, sptep, lo, hi);
  if (mmu.isPresent(mmu.pool.lo(page, index), mmu.pool.hi(page, index))) {
    mmu.warnings.push(`an MMIO spte for gfn 0x${gfn.toString(16)} is written over a present one`);
  }
  mmu.setSpte(page, index, lo, hi);
}

/**
 * Judges an MMIO spte (`check_mmio_spte`, 3.11): whether what it stores may still be trusted. Takes no lock. Where a flag
 * tells that the memslots are in flux, none is trusted, and the kernel does not say so (5.1, `check_mmio_spte`).
 *
 * @param lo Low lane of the entry. @param hi High lane.
 */
export function checkMmioSpte(mmu: Mmu, vcpu: VcpuMmu, lo: number, hi: number): boolean {
  const { layout, strategy, trace } = mmu;
  const slots = mmu.slotsOf(vcpu);
  const gfn = layout.gfnOf(lo, hi);
  const stored = layout.generationOf(lo, hi);
  const valid = strategy.isCurrent(stored, slots, gfn);
  if (trace.on && !slots.isFlagged) {
    trace.emit(CHECK_MMIO_SPTE, vcpu.index, lo, hi, strategy.stamp(slots, gfn), stored, valid ? 1 : 0);
  }
  return valid;
}
