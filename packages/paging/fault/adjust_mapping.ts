import { pagesPerEntry } from "@mmu-lab/memslots";
import { hvaOf } from "../pages/map.ts";
import { maxMappingLevel } from "../pages/max_mapping_level.ts";
import type { Mmu } from "../mmu.ts";
import type { Mapping } from "../pages/set_leaf.ts";
import { traceRequest } from "../trace_spte.ts";

/**
 * Chooses how large a fault is mapped (`kvm_mmu_hugepage_adjust`, 6.1): as large as may be. Under `mmu_lock`.
 *
 * @param mapping Gfn and slot of the fault; level and frames are filled in, and the gfn aligned.
 * @param largest The largest level that will do.
 */
export function adjustMapping(mmu: Mmu, mapping: Mapping, largest: number): void {
  const { slot, gfn } = mapping;
  const small = slot === undefined || slot.dirtyBitmap !== null;
  const level = small ? 1 : maxMappingLevel(mmu, slot, gfn, largest);
  const offset = gfn % pagesPerEntry(level);
  mapping.level = level;
  mapping.gfn = gfn - offset;
  mapping.pfn = slot === undefined ? 0 : mmu.host.pfn(hvaOf(slot, gfn)) - offset;
  if (mmu.trace.on) traceRequest(mmu, gfn, slot === undefined ? -1 : mapping.pfn + offset, level);
}
