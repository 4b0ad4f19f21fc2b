import { gpteChanged, tableAccess } from "../guest/gpte_changed.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../page_pool.ts";
import { RetPf, type RetPfResult } from "../ret_pf.ts";
import { accessOf, directShadowRole } from "../role.ts";
import { linkPage, type Mapping, setLeaf } from "../set_leaf.ts";
import { entryIndex } from "../shadow_walk.ts";
import { SPTE_LARGE } from "../spte_bits.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { dropSpte, removeParent } from "../zap.ts";
import { contextOf } from "./context_of.ts";
import { getShadowPage, tableRole } from "./get_shadow_page.ts";
import { prefetchNeighbours } from "./prefetch_gptes.ts";
import { beginShadowWalk } from "./shadow_roots.ts";
import { markUnsync } from "./unsync.ts";

/**
 * Maps what the last walk of the guest's tables found: shadows the tables that miss, and writes the leaf (`FNAME(fetch)`,
 * 3.11 paging_tmpl.h; facts sheet 3.5). If the guest has changed an entry meanwhile, nothing is mapped, and the guest
 * tries again. Under `mmu_lock`.
 *
 * @param page Linear page number of the fault. @param mapping Where it leads, and at which level it may be mapped.
 * @param access What the walk allows. @param writeFault Whether the access is a write.
 * @returns What became of the fault, see `setLeaf`; `RETRY` if nothing is mapped.
 */
export function fetchMapping(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: number,
  mapping: Mapping,
  access: number,
  writeFault: boolean,
): RetPfResult {
  const { walk, walker, base } = contextOf(vcpu);
  const { shadow } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  if (gpteChanged(walk, walker, walker.maxLevel)) return RetPf.RETRY;
  const start = beginShadowWalk(vcpu, page);
  let table = start.page;
  let level = start.level;
  for (; level > walker.level; level--) {
    const index = entryIndex(page, level);
    shadow.floods.delete(table);
    dropLargeSpte(mmu, table, index);
    if (isPresentAt(mmu, table, index)) {
      if (gpteChanged(walk, walker, level - 1)) return RetPf.RETRY;
    } else {
      const role = tableRole(vcpu, page, level - 1, tableAccess(walk, walker, level - 1));
      const child = getShadowPage(mmu, vcpu, walker.tableGfn(level - 1), role);
      // That the table is write-protected now is why its entry must be looked at again.
      if (gpteChanged(walk, walker, level - 1)) return RetPf.RETRY;
      link(mmu, table, index, child);
    }
    table = mmu.childOf(mmu.pool.lo(table, index), mmu.pool.hi(table, index));
  }
  for (; level > mapping.level; level--) {
    const index = entryIndex(page, level);
    shadow.floods.delete(table);
    unlinkOtherAccess(mmu, table, index, access);
    dropLargeSpte(mmu, table, index);
    if (!isPresentAt(mmu, table, index)) {
      const gfn = mapping.gfn - (mapping.gfn % 512 ** (level - 1));
      link(mmu, table, index, getShadowPage(mmu, vcpu, gfn, directShadowRole(base, level - 1, access)));
    }
    table = mmu.childOf(mmu.pool.lo(table, index), mmu.pool.hi(table, index));
  }
  const index = entryIndex(page, level);
  shadow.floods.delete(table);
  const result = setLeaf(mmu, vcpu, table, index, mapping, level, access, false, writeFault);
  prefetchNeighbours(mmu, vcpu, table, index);
  return result;
}

function isPresentAt(mmu: Mmu, page: PageId, index: number): boolean {
  return mmu.isPresent(mmu.pool.lo(page, index), mmu.pool.hi(page, index));
}

/** Links a table, and tells the pages above if something below it may be out of date. */
function link(mmu: Mmu, page: PageId, index: number, child: PageId): void {
  linkPage(mmu, page, index, child);
  if (mmu.pool.isUnsync(child) || mmu.shadow.unsyncChildren.has(child)) markUnsync(mmu, page * 512 + index);
}

/** Drops a large mapping where a table is wanted (`drop_large_spte`). */
function dropLargeSpte(mmu: Mmu, page: PageId, index: number): void {
  if (!isPresentAt(mmu, page, index) || (mmu.pool.lo(page, index) & SPTE_LARGE) === 0) return;
  dropSpte(mmu, page, index);
  mmu.stats.largepages--;
  mmu.flushRemoteTlbs();
}

/** Unlinks a direct page that allows something else, as the guest's entry has become dirty (`validate_direct_spte`). */
function unlinkOtherAccess(mmu: Mmu, page: PageId, index: number, access: number): void {
  const lo = mmu.pool.lo(page, index);
  const hi = mmu.pool.hi(page, index);
  if (!mmu.isPresent(lo, hi) || (lo & SPTE_LARGE) !== 0) return;
  const child = mmu.childOf(lo, hi);
  if (accessOf(mmu.pool.role[child]) === access) return;
  removeParent(mmu, child, page * 512 + index);
  mmu.setSpte(page, index, 0, 0);
  mmu.flushRemoteTlbs();
}
