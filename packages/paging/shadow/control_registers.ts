/**
 * What KVM does when a guest with shadow paging loads a control register (3.11 x86.c and mmu.c).
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { PagingState } from "../guest/guest_role.ts";
import { loadPdptrs } from "../guest/load_pdptrs.ts";
import type { Mmu } from "../mmu.ts";
import { freeRoot } from "../root.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { syncRoots } from "./sync_page.ts";

/**
 * The guest loads CR3 (`kvm_set_cr3`): what the new tables shadow is synced, and the TLB flushed.
 *
 * @param cr3 Below 2^52.
 * @returns Whether it is loaded; if not, the instruction gets #GP.
 */
export function* loadCr3(mmu: Mmu, vcpu: VcpuMmu, cr3: number): Protocol<boolean> {
  const { walk, paging } = contextOf(vcpu);
  const gfn = Math.floor(cr3 / 4096);
  if (mmu.shadowRules.cr3WithoutSlot === "refused" && mmu.slotOf(vcpu, gfn) === undefined) return false;
  const pdptrsBefore = walk.pdptrs.slice();
  const lo = addressLo(gfn) | (cr3 & 0xfff);
  const hi = addressHi(gfn);
  const same = lo === walk.rootLo && hi === walk.rootHi;
  if (paging.format.rootLevel === 3 && !loadPdptrs(walk, lo)) return false;
  walk.rootLo = lo;
  walk.rootHi = hi;
  if (same && pdptrsBefore.every((lane, i) => lane === walk.pdptrs[i])) {
    yield* syncRoots(mmu, vcpu);
    mmu.flushLocalTlb(vcpu);
  } else yield* freeRoot(mmu, vcpu);
  return true;
}

/** The guest changes how its tables are read, by CR0, CR4 or EFER (`kvm_mmu_reset_context`). */
export function* changePaging(mmu: Mmu, vcpu: VcpuMmu, paging: PagingState): Protocol<void> {
  yield* freeRoot(mmu, vcpu);
  contextOf(vcpu).paging = paging;
}
