import { pagesPerEntry } from "@mmu-lab/memslots";
import { KVM_MMU_SPTE_REQUESTED } from "@mmu-lab/tracing";
import { hvaOf } from "./map.ts";
import { maxMappingLevel } from "./max_mapping_level.ts";
import type { Mmu } from "./mmu.ts";
import type { Mapping } from "./set_leaf.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** `KVM_PFN_NOSLOT`, bit 63, as two lanes. */
const NO_SLOT_PFN: readonly [lo: number, hi: number] = [0, 2 ** 31];

/**
 * Chooses how large a fault is mapped (`kvm_mmu_hugepage_adjust`, 6.1): as large as may be. Under `mmu_lock`.
 *
 * @param mapping Gfn and slot of the fault; level and frames are filled in, and the gfn aligned.
 * @param largest The largest level that will do.
 */
export function adjustMapping(mmu: Mmu, vcpu: VcpuMmu, mapping: Mapping, largest: number): void {
  const { slot, gfn } = mapping;
  const small = slot === undefined || slot.dirtyBitmap !== null;
  const level = small ? 1 : maxMappingLevel(mmu, slot, gfn, largest);
  const offset = gfn % pagesPerEntry(level);
  mapping.level = level;
  mapping.gfn = gfn - offset;
  mapping.pfn = slot === undefined ? 0 : mmu.host.pfn(hvaOf(slot, gfn)) - offset;
  if (!mmu.trace.on) return;
  const [lo, hi] = slot === undefined ? NO_SLOT_PFN : [mapping.pfn, mapping.pfn / 2 ** 32];
  mmu.trace.emit(KVM_MMU_SPTE_REQUESTED, vcpu.index, gfn, lo, hi, level);
}
