/**
 * Roots of a vCPU without two-dimensional paging (`mmu_alloc_shadow_roots`, `mmu_alloc_direct_roots`, `mmu_free_roots`,
 * 3.11 mmu.c).
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import { ACC_ALL, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { flushIfAsked } from "../flush_if_asked.ts";
import { makePagesAvailable } from "../pages/reclaim.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { directShadowRole, type Role } from "../pages/role.ts";
import { LOOK_UP_SLOT } from "../steps.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, putRoot } from "../pages/zap.ts";
import { contextOf } from "./context_of.ts";
import { getShadowPage, tableRole } from "./get_shadow_page.ts";

/** In place of a root: the vCPU has up to four of level 2, see `ShadowContext.paeRoots`. */
export const PAE_ROOTS: PageId = -2;
/** Pages of 4 KiB in a GiB. */
const GIB_PAGES = 512 * 512;

/** Where a walk of shadow tables begins. Reused by the next. */
const walkStart: { page: PageId; level: number } = { page: NO_PAGE, level: 0 };

/** Finds the first table of a walk and its level; level 0 if there is none (`shadow_walk_init`). */
export function beginShadowWalk(vcpu: VcpuMmu, page: number): { readonly page: PageId; readonly level: number } {
  walkStart.page = vcpu.root;
  walkStart.level = vcpu.shadow?.shadowLevels ?? 0;
  if (vcpu.root === PAE_ROOTS) {
    walkStart.page = contextOf(vcpu).paeRoots[Math.floor(page / GIB_PAGES) & 3];
    walkStart.level = walkStart.page === NO_PAGE ? 0 : 2;
  } else if (vcpu.root === NO_PAGE) walkStart.level = 0;
  return walkStart;
}

/**
 * Takes the roots for what CR3 says now. They are synced by the caller.
 *
 * @throws {Error} If a root table has no memory: the guest shuts down (`mmu_check_root`).
 */
export function* allocateShadowRoots(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const context = contextOf(vcpu);
  const { walk, base } = context;
  const cr3 = pfnOfLanes(walk.rootLo, walk.rootHi);
  if (context.isLongMode) {
    yield* checkRoot(mmu, vcpu, cr3);
    vcpu.root = yield* take(mmu, vcpu, cr3, tableRole(vcpu, 0, context.shadowLevels, ACC_ALL));
    return;
  }
  for (let i = 0; i < 4; i++) {
    if (context.nonpaging) {
      context.paeRoots[i] = yield* take(mmu, vcpu, i * GIB_PAGES, directShadowRole(base, 2, ACC_ALL));
      continue;
    }
    let gfn = cr3;
    if (context.paging.format.rootLevel === 3) {
      if ((walk.pdptrs[2 * i] & 1) === 0) continue;
      gfn = pfnOfLanes(walk.pdptrs[2 * i], walk.pdptrs[2 * i + 1]);
    }
    yield* checkRoot(mmu, vcpu, gfn);
    context.paeRoots[i] = yield* take(mmu, vcpu, gfn, tableRole(vcpu, i * GIB_PAGES, 2, ACC_ALL));
  }
  vcpu.root = PAE_ROOTS;
}

function* checkRoot(mmu: Mmu, vcpu: VcpuMmu, gfn: number): Protocol<void> {
  yield LOOK_UP_SLOT;
  const slot = mmu.slotOf(vcpu, gfn);
  if (slot === undefined || slot.invalid) {
    throw new Error(`vCPU ${vcpu.index} shuts down: its root table at gfn 0x${gfn.toString(16)} has no memory`);
  }
}

function* take(mmu: Mmu, vcpu: VcpuMmu, gfn: number, role: Role): Protocol<PageId> {
  yield mmu.lock.acquire;
  // What was zapped with the last roots asked for a flush, which is done by now; syncing these may ask for another.
  if (contextOf(vcpu).paeRoots.every((root) => root === NO_PAGE)) flushIfAsked(mmu, vcpu);
  makePagesAvailable(mmu);
  const page = getShadowPage(mmu, vcpu, gfn, role);
  mmu.pool.rootCount[page]++;
  yield mmu.lock.leave;
  return page;
}

/** Gives back the roots of a guest that is not in long mode; those that were zapped and nobody uses are freed. */
export function* freePaeRoots(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const { paeRoots } = contextOf(vcpu);
  yield mmu.lock.acquire;
  vcpu.dropRoot();
  mmu.execution.touched |= WRITES_TABLES;
  for (let i = 0; i < 4; i++) {
    const root = paeRoots[i];
    paeRoots[i] = NO_PAGE;
    if (root !== NO_PAGE) putRoot(mmu, root);
  }
  commitZap(mmu);
  yield mmu.lock.leave;
}
