import { type Gfn, pagesPerEntry } from "@mmu-lab/memslots";
import { gpteChanged, tableAccess } from "../guest/gpte_changed.ts";
import { adjustMapping } from "../fault/adjust_mapping.ts";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { accessOf, directShadowRole, type Role } from "../pages/role.ts";
import { linkPage, type Mapping, setLeaf } from "../pages/set_leaf.ts";
import { entryIndex } from "../pages/shadow_walk.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { zapPresent } from "../pages/zap.ts";
import { contextOf } from "./context_of.ts";
import { getShadowPage, tableRole } from "./get_shadow_page.ts";
import { prefetchNeighbours } from "./prefetch_gptes.ts";
import { beginShadowWalk } from "./shadow_roots.ts";
import { syncSomeChildren } from "./sync_page.ts";
import { markUnsync } from "./unsync.ts";

/**
 * Maps what the last walk of the guest's tables found: shadows the tables that miss, and writes the leaf (`FNAME(fetch)`,
 * 3.11 and 6.1 paging_tmpl.h; facts sheet 3.5). If the guest has changed an entry meanwhile, nothing is mapped, and the guest
 * tries again. Under `mmu_lock`.
 *
 * @param page Linear page number of the fault. @param mapping Where it leads, and at which level it may be mapped.
 * @param access What the walk allows. @param writeFault Whether the access is a write.
 * @param largest The largest level that will do, if the level is to be chosen once the guest's tables are shadowed (5.6 on);
 * 0 if it is chosen.
 * @returns What became of the fault, see `setLeaf`; `RETRY` if nothing is mapped.
 */
export function fetchMapping(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: number,
  mapping: Mapping,
  access: number,
  writeFault: boolean,
  largest: number = 0,
): RetPfResult {
  const { walk, walker, base } = contextOf(vcpu);
  mmu.execution.touched |= READS_TABLES;
  if (gpteChanged(walk, walker, walker.maxLevel)) return RetPf.RETRY;
  const start = beginShadowWalk(vcpu, page);
  let table = start.page;
  let level = start.level;
  for (; level > walker.level; level--) {
    const index = entryIndex(page, level);
    noteUse(mmu, table);
    const gfn = walker.tableGfn(level - 1);
    const role = tableRole(vcpu, page, level - 1, tableAccess(walk, walker, level - 1));
    const child = isLinked(mmu, table, index, gfn, role) ? NO_PAGE : getShadowPage(mmu, vcpu, gfn, role);
    if (child !== NO_PAGE && !syncBeforeLink(mmu, vcpu, child)) return RetPf.RETRY;
    // That the table is write-protected now is why its entry must be looked at again.
    if (gpteChanged(walk, walker, level - 1)) return RetPf.RETRY;
    if (child !== NO_PAGE) link(mmu, table, index, child);
    table = mmu.childOf(mmu.pool.lo(table, index), mmu.pool.hi(table, index));
  }
  if (largest > 0) adjustMapping(mmu, mapping, largest);
  for (; level > mapping.level; level--) {
    const index = entryIndex(page, level);
    noteUse(mmu, table);
    unlinkOtherAccess(mmu, table, index, access);
    const gfn = mapping.gfn - (mapping.gfn % pagesPerEntry(level));
    const role = directShadowRole(base, level - 1, access);
    if (!isLinked(mmu, table, index, gfn, role)) link(mmu, table, index, getShadowPage(mmu, vcpu, gfn, role));
    table = mmu.childOf(mmu.pool.lo(table, index), mmu.pool.hi(table, index));
  }
  const index = entryIndex(page, level);
  noteUse(mmu, table);
  const result = setLeaf(mmu, vcpu, table, index, mapping, level, access, false, writeFault);
  if (result !== RetPf.SPURIOUS || mmu.faultRules.handler !== "common") prefetchNeighbours(mmu, vcpu, table, index);
  return result;
}

/** A table that is used is not flooded with writes. */
function noteUse(mmu: Mmu, table: PageId): void {
  if (mmu.shadow.floods.delete(table)) mmu.execution.touched |= WRITES_TABLES;
}

/**
 * Whether an entry links a table that will do. A large mapping goes at once where kernels do not ask which table it is
 * (`drop_large_spte`), and else when another takes its place.
 */
function isLinked(mmu: Mmu, page: PageId, index: number, gfn: Gfn, role: Role): boolean {
  const { pool } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  const isTable = mmu.isPresent(lo, hi) && (lo & SPTE_LARGE) === 0;
  if (mmu.shadowRules.linkedTable === "any") {
    dropLargeSpte(mmu, page, index);
    return isTable;
  }
  return isTable && pool.gfn[mmu.childOf(lo, hi)] === gfn && pool.role[mmu.childOf(lo, hi)] === role;
}

/** Brings pages below a page that is about to be linked up to date, if this kernel does; whether that is done. */
function syncBeforeLink(mmu: Mmu, vcpu: VcpuMmu, child: PageId): boolean {
  if (mmu.shadowRules.syncOfChildren !== "before-link" || !mmu.shadow.unsyncChildren.has(child)) return true;
  if (!syncSomeChildren(mmu, vcpu, child)) return true;
  // The lock would be given up, which must not be here: what is left is done before the guest runs on.
  vcpu.syncRequested = true;
  return false;
}

/** Links a table, and tells the pages above if something below it may be out of date. */
function link(mmu: Mmu, page: PageId, index: number, child: PageId): void {
  linkPage(mmu, page, index, child);
  if (mmu.pool.isUnsync(child) || mmu.shadow.unsyncChildren.has(child)) markUnsync(mmu, page * 512 + index);
}

/** Drops a large mapping where a table is wanted (`drop_large_spte`). */
function dropLargeSpte(mmu: Mmu, page: PageId, index: number): void {
  const lo = mmu.pool.lo(page, index);
  if (!mmu.isPresent(lo, mmu.pool.hi(page, index)) || (lo & SPTE_LARGE) === 0) return;
  zapPresent(mmu, page, index);
  mmu.flushRemoteTlbs();
}

/** Unlinks a direct page that allows something else, as the guest's entry has become dirty (`validate_direct_spte`). */
function unlinkOtherAccess(mmu: Mmu, page: PageId, index: number, access: number): void {
  const lo = mmu.pool.lo(page, index);
  const hi = mmu.pool.hi(page, index);
  if (!mmu.isPresent(lo, hi) || (lo & SPTE_LARGE) !== 0) return;
  if (accessOf(mmu.pool.role[mmu.childOf(lo, hi)]) === access) return;
  zapPresent(mmu, page, index);
  mmu.flushRemoteTlbs();
}
