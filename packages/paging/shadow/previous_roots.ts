/**
 * Roots that a vCPU keeps when its guest loads another CR3, to have them at once when CR3 comes back (`prev_roots`, 4.19 and
 * 6.1 mmu.c). Only those of guests in long mode are kept.
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import type { Role } from "../pages/role.ts";
import { freeRoot } from "../root.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, putRoot } from "../pages/zap.ts";
import { contextOf } from "./context_of.ts";
import { tableRole } from "./get_shadow_page.ts";
import { freePaeRoots, PAE_ROOTS } from "./shadow_roots.ts";

/** A root that is kept. */
export interface PreviousRoot {
  /** Its page, or `NO_PAGE`. */
  page: PageId;
  /** Bits 31:0 of the CR3 that it is for. */
  lo: number;
  /** Bits 63:32. */
  hi: number;
}

/**
 * Looks among the kept roots for that of a CR3. The one in use until now takes the first place, and the others move down to
 * where the found one was; if none is found, the last one goes (`fast_pgd_switch`, 6.1). The CR3 in use until now is still
 * in the context.
 *
 * @param lo Bits 31:0 of the new CR3. @param hi Bits 63:32.
 * @returns Whether there was one. If not the vCPU has no root any more.
 */
export function* switchRoot(mmu: Mmu, vcpu: VcpuMmu, lo: number, hi: number): Protocol<boolean> {
  const context = contextOf(vcpu);
  const { previousRoots: kept, walk } = context;
  mmu.execution.touched |= READS_TABLES;
  if (vcpu.root === PAE_ROOTS) {
    yield* freePaeRoots(mmu, vcpu);
    return false;
  }
  const role = tableRole(vcpu, 0, context.shadowLevels, ACC_ALL);
  if (vcpu.root === NO_PAGE) return takeKept(mmu, vcpu, lo, hi, role);
  let root: PreviousRoot = { page: vcpu.root, lo: walk.rootLo, hi: walk.rootHi };
  let found = false;
  for (let i = 0; i < kept.length && !found; i++) {
    [root, kept[i]] = [kept[i], root];
    found = isUsable(mmu, root, lo, hi, role);
  }
  vcpu.root = root.page;
  if (!found) yield* freeRoot(mmu, vcpu);
  return found;
}

/** The same for a vCPU that has no root: those behind the one that is found move up. */
function takeKept(mmu: Mmu, vcpu: VcpuMmu, lo: number, hi: number, role: Role): boolean {
  const { previousRoots: kept } = contextOf(vcpu);
  const at = kept.findIndex((root) => isUsable(mmu, root, lo, hi, role));
  if (at < 0) return false;
  vcpu.root = kept.splice(at, 1)[0].page;
  kept.push({ page: NO_PAGE, lo: 0, hi: 0 });
  return true;
}

/** Whether a root is for a CR3 and a mode; one that was zapped is not (`is_root_usable`). */
function isUsable(mmu: Mmu, root: PreviousRoot, lo: number, hi: number, role: Role): boolean {
  return root.page !== NO_PAGE && root.lo === lo && root.hi === hi && mmu.pool.role[root.page] === role;
}

/**
 * Gives back a vCPU's root and those that it keeps: all, or those that were zapped or made before everything was
 * (`kvm_mmu_free_roots` by way of `kvm_mmu_unload` or `kvm_mmu_free_obsolete_roots`, 6.1). Roots that are no pages, of a guest
 * that is not in long mode, always seem obsolete. Takes `mmu_lock` once, if there are any.
 */
export function* dropRoots(mmu: Mmu, vcpu: VcpuMmu, which: "obsolete" | "all"): Protocol<void> {
  const { previousRoots, paeRoots } = contextOf(vcpu);
  const goes = (page: PageId) => page !== NO_PAGE && (which === "all" || page === PAE_ROOTS || mmu.isObsolete(page));
  mmu.execution.touched |= READS_TABLES;
  if (!goes(vcpu.root) && !previousRoots.some(({ page }) => goes(page))) return;
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  if (goes(vcpu.root)) {
    const roots = vcpu.root === PAE_ROOTS ? paeRoots.filter((root) => root !== NO_PAGE) : [vcpu.root];
    if (vcpu.root === PAE_ROOTS) paeRoots.fill(NO_PAGE);
    vcpu.dropRoot();
    for (const root of roots) putRoot(mmu, root);
  }
  for (const kept of previousRoots) {
    if (!goes(kept.page)) continue;
    const { page } = kept;
    kept.page = NO_PAGE;
    putRoot(mmu, page);
  }
  commitZap(mmu);
  yield mmu.lock.leave;
}
