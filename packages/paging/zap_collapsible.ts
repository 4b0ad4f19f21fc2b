import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { eachSlotMapping } from "./each_mapping.ts";
import { maxMappingLevel } from "./max_mapping_level.ts";
import type { Mmu } from "./mmu.ts";
import type { PageId } from "./page_pool.ts";
import { isDirect, levelOf } from "./role.ts";
import { WRITES_TABLES } from "./touches.ts";
import { dropSpte } from "./zap.ts";

/**
 * Drops the mappings of a slot that a large page could stand for; their tables stay, empty, until a large page is put in their
 * place (`kvm_mmu_zap_collapsible_sptes`, 6.1 mmu.c). Mappings of guest tables cannot be larger than the guest's. Takes
 * `mmu_lock`. O(pages of the slot).
 */
export function* zapCollapsible(mmu: Mmu, slot: Memslot): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  const drop = (_: Mmu, page: PageId, index: number) => {
    const role = mmu.pool.role[page];
    const gfn = mmu.pool.gfn[page];
    const isInSlot = gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages;
    if (!isDirect(role) || !isInSlot || levelOf(role) >= maxMappingLevel(mmu, slot, gfn)) return false;
    dropSpte(mmu, page, index);
    return true;
  };
  if (eachSlotMapping(mmu, slot, 1, 2, drop)) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}
