import type { Gfn } from "@mmu-lab/memslots";
import { KVM_MMU_SET_SPTE, KVM_MMU_SPTE_REQUESTED } from "@mmu-lab/tracing";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./page_pool.ts";
import { SPTE_PRESENT, SPTE_WRITABLE } from "./spte_bits.ts";
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
  const { bits, pool } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  const executable = (lo & bits.executable) === bits.executable && (hi & bits.noExecuteHi) === 0;
  const rights = (lo & SPTE_PRESENT) | (lo & SPTE_WRITABLE) | (executable ? RIGHTS.EXECUTABLE : 0) |
    ((lo & (bits.user || SPTE_PRESENT)) !== 0 ? RIGHTS.USER : 0);
  mmu.trace.emit(KVM_MMU_SET_SPTE, -1, gfn, lo, hi, rights, level, sptepOf(mmu, page, index));
}

/** With EPT what may be read is the user's (`shadow_user_mask` is `VMX_EPT_READABLE_MASK`). */
const RIGHTS = { EXECUTABLE: 4, USER: 8 } as const;
