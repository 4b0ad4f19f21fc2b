/**
 * What KVM does when a guest with shadow paging loads a control register (3.11 and 6.1 x86.c and mmu.c).
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { PagingState } from "../guest/guest_role.ts";
import { loadPdptrs } from "../guest/load_pdptrs.ts";
import type { Mmu } from "../mmu.ts";
import { freeAllRoots, freeRoot } from "../root.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { switchRoot } from "./previous_roots.ts";
import { syncRoots } from "./sync_page.ts";

/**
 * The guest loads CR3 (`kvm_set_cr3`): what the new tables shadow is synced, and the TLB flushed. The root of the old tables
 * goes, or is kept.
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
  const sameCr3 = lo === walk.rootLo && hi === walk.rootHi;
  if (paging.format.rootLevel === 3 && !loadPdptrs(walk, lo)) return false;
  const same = sameCr3 && pdptrsBefore.every((lane, i) => lane === walk.pdptrs[i]);
  if (mmu.shadowRules.previousRoots > 0) {
    if (!sameCr3) {
      if (yield* switchRoot(mmu, vcpu, lo, hi)) {
        vcpu.cache.gva = 0;
        mmu.execution.touched |= WRITES_TABLES;
        mmu.shadow.floods.delete(vcpu.root);
      }
    } else if (!same) yield* freeRoot(mmu, vcpu);
    vcpu.syncRequested = true;
    mmu.flushLocalTlb(vcpu);
  } else if (same) {
    yield* syncRoots(mmu, vcpu);
    mmu.flushLocalTlb(vcpu);
  } else yield* freeRoot(mmu, vcpu);
  walk.rootLo = lo;
  walk.rootHi = hi;
  return true;
}

/** The guest changes how its tables are read, by CR0, CR4 or EFER (`kvm_mmu_reset_context`). */
export function* changePaging(mmu: Mmu, vcpu: VcpuMmu, paging: PagingState): Protocol<void> {
  yield* freeAllRoots(mmu, vcpu);
  contextOf(vcpu).paging = paging;
}
