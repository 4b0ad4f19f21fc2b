import type { Gfn } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { commitZap, prepareZap } from "../pages/zap.ts";
import { isValidIndirect } from "./unsync.ts";

/**
 * Zaps all pages that shadow a table, so that its frame may be written (`kvm_mmu_unprotect_page`). Takes `mmu_lock`.
 *
 * @returns Whether any page went that no vCPU has as root.
 */
export function* unprotectPage(mmu: Mmu, gfn: Gfn): Protocol<boolean> {
  yield mmu.lock.acquire;
  zapTablePages(mmu, gfn);
  const zapped = mmu.zapped.length > 0;
  commitZap(mmu);
  yield mmu.lock.leave;
  return zapped;
}

/** Zaps all pages that shadow the table in a frame (`for_each_gfn_valid_indirect_sp`, 6.1). Under `mmu_lock`. */
export function zapTablePages(mmu: Mmu, gfn: Gfn): void {
  const { pool } = mmu;
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (isValidIndirect(mmu, page, gfn)) prepareZap(mmu, page);
  }
}
