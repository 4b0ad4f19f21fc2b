import type { Gfn } from "@mmu-lab/memslots";
import { KVM_MMU_SET_SPTE, KVM_MMU_SPTE_REQUESTED } from "@mmu-lab/tracing";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./pages/page_pool.ts";
import { SPTE_PRESENT, SPTE_WRITABLE } from "./pages/spte_bits.ts";
import { sptepOf } from "./trace_page.ts";

/** `KVM_PFN_NOSLOT`: bit 63, in the high lane. */
const NO_SLOT_HI = 0x80000000 | 0;

/**
 * Emits `kvm_mmu_spte_requested` (from 5.8 on). Call it only while the sink is on.
 *
 * @param gfn The gfn of the fault. @param pfn Its host frame; -1 if the gfn has no slot.
 * @param level Level of the mapping.
 */
export function traceRequest(mmu: Mmu, gfn: Gfn, pfn: number, level: number): void {
  const lo = pfn < 0 ? 0 : pfn | 0;
  const hi = pfn < 0 ? NO_SLOT_HI : Math.floor(pfn / 2 ** 32);
  mmu.trace.emit(KVM_MMU_SPTE_REQUESTED, -1, gfn, lo, hi, level);
}

/**
 * Emits `kvm_mmu_set_spte` (from 5.2 on) for an entry as it is now. Call it only while the sink is on.
 *
 * @param gfn First gfn of the page that is mapped.
 */
export function traceSetSpte(mmu: Mmu, page: PageId, index: number, gfn: Gfn, level: number): void {
  const lo = mmu.pool.lo(page, index);
  const hi = mmu.pool.hi(page, index);
  mmu.trace.emit(KVM_MMU_SET_SPTE, -1, gfn, lo, hi, rightsOf(mmu, lo, hi), level, sptepOf(mmu, page, index));
}

/**
 * What an entry allows, as `kvm_mmu_set_spte` shows it: readable 1, writable 2, executable 4, user 8. EPT has no user bit; KVM
 * takes its bit for reading for one (`kvm_mmu_set_ept_masks`, 6.1 spte.c).
 */
function rightsOf(mmu: Mmu, lo: number, hi: number): number {
  const { bits } = mmu;
  const executable = bits.noExecuteHi === 0 ? (lo & bits.executable) !== 0 : (hi & bits.noExecuteHi) === 0;
  const user = (lo & (bits.user === 0 ? SPTE_PRESENT : bits.user)) !== 0;
  return (lo & (SPTE_PRESENT | SPTE_WRITABLE)) | (executable ? 4 : 0) | (user ? 8 : 0);
}
