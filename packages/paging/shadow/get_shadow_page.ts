import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { KVM_MMU_GET_PAGE } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { indirectRole, isDirect, levelOf, type Role } from "../pages/role.ts";
import { WRITES_TABLES } from "../touches.ts";
import { tracePage } from "../trace_page.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, prepareZap } from "../pages/zap.ts";
import { contextOf } from "./context_of.ts";
import { rmapWriteProtect } from "./rmap.ts";
import { Synced, syncOrZap, syncPages } from "./sync_page.ts";

/**
 * Finds the page of a gfn and role, or makes it (`kvm_mmu_get_page`, 3.11; `kvm_mmu_get_shadow_page`, 6.1; facts sheet 6.6).
 * One that may be out of date is synced first. A new page of a guest table is write-protected, which is how KVM sees the
 * guest change it. Under `mmu_lock`.
 */
export function getShadowPage(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn, role: Role): PageId {
  const { pool, shadow, shadowRules } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  const isUpper = levelOf(role) > 1;
  let needSync = false;
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (pool.gfn[page] !== gfn || mmu.isObsolete(page)) continue;
    const unsync = pool.isUnsync(page);
    if (unsync) needSync = true;
    if (pool.role[page] !== role) {
      if (unsync && isUpper && shadowRules.unsyncUnderUpper === "zapped") prepareZap(mmu, page);
      continue;
    }
    if (unsync) {
      // It stays as it is: the guest may still write its table.
      const synced = syncOrZap(mmu, vcpu, page, false);
      commitZap(mmu);
      if (synced === Synced.WORTHLESS) break;
      if (synced === Synced.LOST && shadowRules.flushesAfterSync === "all") mmu.flushRemoteTlbs();
    }
    if (shadowRules.syncOfChildren === "requested" && shadow.unsyncChildren.has(page)) vcpu.syncRequested = true;
    shadow.floods.delete(page);
    commitZap(mmu);
    if (mmu.trace.on) tracePage(mmu, KVM_MMU_GET_PAGE, page, "existing");
    return page;
  }
  mmu.stats.mmu_cache_miss++;
  commitZap(mmu);
  mmu.counters.counts[Work.pagesAllocated]++;
  const page = pool.allocate(gfn, role, mmu.validGen);
  pool.used++;
  if (!isDirect(role)) {
    if (rmapWriteProtect(mmu, vcpu.asId, gfn)) mmu.flushRemoteTlbs();
    if (isUpper && needSync && shadowRules.unsyncUnderUpper === "synced") syncPages(mmu, vcpu, gfn);
    shadow.account(gfn, role);
  }
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_GET_PAGE, page, "new");
  return page;
}

/**
 * The role of the page that shadows a guest table.
 *
 * @param page The linear page number of an address that it translates: it decides the quadrant.
 */
export function tableRole(vcpu: VcpuMmu, page: number, level: number, access: number): Role {
  const context = contextOf(vcpu);
  let quadrant = 0;
  if (context.paging.format.rootLevel === 2) {
    quadrant = Math.floor(page / 512 ** level) & ((1 << level) - 1);
  }
  return indirectRole(context.base, level, access, quadrant);
}
