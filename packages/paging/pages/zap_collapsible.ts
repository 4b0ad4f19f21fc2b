import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { eachSlotMapping } from "./each_mapping.ts";
import { hvaOf } from "./map.ts";
import { maxMappingLevel } from "./max_mapping_level.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { isDirect, levelOf } from "./role.ts";
import { WRITES_TABLES } from "../touches.ts";
import { dropSpte } from "./zap.ts";

/**
 * Drops the mappings of a slot that a large page could stand for, or whose host page is larger; their tables stay, empty, until
 * a large page is put in their place (`kvm_mmu_zap_collapsible_sptes`, 4.10 and 6.1 mmu.c). Mappings of guest tables cannot be
 * larger than the guest's. Takes `mmu_lock`. O(pages of the slot).
 */
export function* zapCollapsible(mmu: Mmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  const byHost = mmu.pageRules.collapses === "of-huge-pages";
  const drop = (_: Mmu, page: PageId, index: number) => {
    if (!isDirect(mmu.pool.role[page])) return false;
    if (byHost ? !isOfHugePage(mmu, slot, page, index) : !couldBeLarger(mmu, slot, page)) return false;
    dropSpte(mmu, page, index);
    return true;
  };
  if (eachSlotMapping(mmu, slot, 1, byHost ? 1 : 2, drop)) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}

function isOfHugePage(mmu: Mmu, slot: Memslot, page: PageId, index: number): boolean {
  const hva = hvaOf(slot, mmu.pool.gfn[page] + index);
  return mmu.host.isTransparentHuge(hva) || mmu.host.mappingLevel(hva) > 1;
}

/** Whether a large page may stand in the place of the table: not where the slot begins or ends in it. */
function couldBeLarger(mmu: Mmu, slot: Memslot, page: PageId): boolean {
  return levelOf(mmu.pool.role[page]) < maxMappingLevel(mmu, slot, mmu.pool.gfn[page]);
}
