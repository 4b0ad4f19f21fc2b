import type { Protocol } from "@mmu-lab/protocol";
import { flushIfAsked } from "./flush_if_asked.ts";
import { getPage } from "./pages/get_page.ts";
import { makePagesAvailable } from "./pages/reclaim.ts";
import type { Mmu } from "./mmu.ts";
import { dropKeptRoots } from "./nested/switch_level.ts";
import { NO_PAGE } from "./pages/page_pool.ts";
import { directRole } from "./pages/role.ts";
import { dropTdpRoot, takeTdpRoot } from "./tdp-mmu/roots.ts";
import { allocateShadowRoots, freePaeRoots, PAE_ROOTS } from "./shadow/shadow_roots.ts";
import { dropRoots } from "./shadow/previous_roots.ts";
import { syncRoots } from "./shadow/sync_page.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";
import { commitZap, putRoot } from "./pages/zap.ts";
import { READS_REQUESTS, READS_ROOTS, WRITES_TABLES } from "./touches.ts";

/** Whether a vCPU must look after its root before it runs its guest: it has none, or was asked to reload or sync it. */
export function needsRoot(mmu: Mmu, vcpu: VcpuMmu): boolean {
  mmu.execution.touched |= READS_REQUESTS;
  return vcpu.reloadRequested || vcpu.syncRequested || vcpu.root === NO_PAGE;
}

/**
 * Whether a vCPU's root is missing, or was zapped or made before everything was (`is_obsolete_root`, `is_page_fault_stale`,
 * 6.1). The roots of a guest that is not in long mode count as such as long as the vCPU is asked to reload them.
 */
export function isObsoleteRoot(mmu: Mmu, vcpu: VcpuMmu): boolean {
  mmu.execution.touched |= vcpu.root === PAE_ROOTS ? READS_REQUESTS : READS_ROOTS;
  if (vcpu.root === PAE_ROOTS) return vcpu.reloadRequested;
  return vcpu.root === NO_PAGE || mmu.isObsolete(vcpu.root);
}

/**
 * Drops a root that the vCPU was asked to reload, and takes one if it has none (`kvm_mmu_reload` in `vcpu_enter_guest`, 3.11
 * x86.c). The TLB must then be flushed.
 */
export function* changeRoot(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  if (vcpu.reloadRequested) {
    // KVM_REQ_MMU_FREE_OBSOLETE_ROOTS (6.1) spares a root that is valid.
    const sparesValid = mmu.pageRules.validGeneration === "toggled";
    // The root goes whatever happens, and with it what the TLB holds.
    if (!sparesValid) vcpu.tlb.flush();
    if (keepsRoots(mmu, vcpu)) {
      vcpu.reloadRequested = false;
      yield* dropRoots(mmu, vcpu, sparesValid ? "obsolete" : "all");
    } else {
      const frees = !sparesValid || isObsoleteRoot(mmu, vcpu);
      vcpu.reloadRequested = false;
      if (frees) yield* freeRoot(mmu, vcpu);
    }
    if (vcpu.nested !== undefined) yield* dropKeptRoots(mmu, vcpu.nested);
  }
  if (vcpu.syncRequested) {
    vcpu.syncRequested = false;
    yield* syncRoots(mmu, vcpu);
  }
  if (vcpu.root !== NO_PAGE) return;
  if (mmu.tdp !== undefined) yield* takeTdpRoot(mmu, mmu.tdp, vcpu);
  else if (vcpu.shadow !== undefined) {
    yield* allocateShadowRoots(mmu, vcpu);
    yield* syncRoots(mmu, vcpu);
  } else {
    yield mmu.lock.acquire;
    makePagesAvailable(mmu);
    vcpu.root = getPage(mmu, 0, directRole(mmu.rootLevel, vcpu.asId));
    mmu.pool.rootCount[vcpu.root]++;
    yield mmu.lock.leave;
  }
  vcpu.flushRequested = true;
}

/**
 * A vCPU enters or leaves system management mode, and with it another address space: it drops its root (`kvm_smm_changed`, 6.1
 * x86.c, by way of `kvm_mmu_reset_context`). Its MMIO cache keeps its gfn. The vCPU must not be in its guest.
 */
export function* changeAddressSpace(mmu: Mmu, vcpu: VcpuMmu, asId: number): Protocol<void> {
  if (vcpu.asId === asId) return;
  yield* freeAllRoots(mmu, vcpu);
  vcpu.asId = asId;
  vcpu.shadow?.enterAddressSpace(asId);
}

/** All that a vCPU does before it runs its guest, for one whom nobody disturbs meanwhile. */
export function* prepareEntry(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  if (needsRoot(mmu, vcpu)) yield* changeRoot(mmu, vcpu);
  flushIfAsked(mmu, vcpu);
}

/**
 * Gives a vCPU's root back; if it was zapped meanwhile and nobody else uses it, it is freed (`mmu_free_roots`, 3.11).
 */
export function* freeRoot(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  if (vcpu.root === NO_PAGE) return;
  if (mmu.tdp !== undefined) return yield* dropTdpRoot(mmu, mmu.tdp, vcpu);
  if (vcpu.root === PAE_ROOTS) return yield* freePaeRoots(mmu, vcpu);
  yield mmu.lock.acquire;
  const root = vcpu.root;
  vcpu.dropRoot();
  mmu.execution.touched |= WRITES_TABLES;
  putRoot(mmu, root);
  commitZap(mmu);
  yield mmu.lock.leave;
}

/** Gives a vCPU's root back, and those that it keeps (`kvm_mmu_unload`). */
export function* freeAllRoots(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  if (keepsRoots(mmu, vcpu)) yield* dropRoots(mmu, vcpu, "all");
  else yield* freeRoot(mmu, vcpu);
}

/** Whether a vCPU may have roots beside the one in use, for other values of CR3. */
function keepsRoots(mmu: Mmu, vcpu: VcpuMmu): boolean {
  return mmu.shadowRules.previousRoots > 0 && vcpu.shadow !== undefined && !vcpu.inL2;
}
