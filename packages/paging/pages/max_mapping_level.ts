import { type Gfn, largePageAllowed, type Memslot } from "@mmu-lab/memslots";
import { hvaOf } from "./map.ts";
import type { Mmu } from "../mmu.ts";

/**
 * The largest level at which slot, processor and host allow to map the gfn, no shadowed table being there
 * (`kvm_mmu_max_mapping_level`, 6.1 mmu.c).
 *
 * @param largest The largest that is asked for.
 */
export function maxMappingLevel(mmu: Mmu, slot: Memslot, gfn: Gfn, largest: number = 3): number {
  let level = Math.min(mmu.maxPageLevel, largest);
  while (level > 1 && (!largePageAllowed(slot, gfn, level) || mmu.shadow.hasShadowed(gfn, level, slot.asId))) level--;
  if (level === 1) return 1;
  const hva = hvaOf(slot, gfn);
  return Math.min(level, mmu.host.isTransparentHuge(hva) ? 2 : mmu.host.mappingLevel(hva));
}
