import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { KVM_MMU_GET_PAGE } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "./page_pool.ts";
import type { Role } from "./role.ts";
import { tracePage } from "../trace_page.ts";
import { WRITES_TABLES } from "../touches.ts";

/**
 * Finds the shadow page of a gfn and role, or makes it (`kvm_mmu_get_page`, 3.11; facts sheet 6.6). Obsolete pages are
 * passed over. Under `mmu_lock`.
 */
export function getPage(mmu: Mmu, gfn: Gfn, role: Role): PageId {
  const { pool } = mmu;
  mmu.execution.touched |= WRITES_TABLES;
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (pool.gfn[page] !== gfn || mmu.isObsolete(page) || pool.role[page] !== role) continue;
    if (mmu.trace.on) tracePage(mmu, KVM_MMU_GET_PAGE, page, "existing");
    return page;
  }
  mmu.stats.mmu_cache_miss++;
  mmu.counters.counts[Work.pagesAllocated]++;
  const page = pool.allocate(gfn, role, mmu.validGen);
  pool.used++;
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_GET_PAGE, page, "new");
  return page;
}
