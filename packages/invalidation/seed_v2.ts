import type { MmioGenerationRule } from "@mmu-lab/memslots";
import { generation, GENERATION_3_11 } from "./generation.ts";
import type { InvalidationStrategy } from "./strategy.ts";

/**
 * The generation as version 2 of the 2013 series proposed it: as {@linkcode generation}, but when the number goes round
 * it zaps with the walk of 3.10, for `kvm_mmu_zap_mmio_sptes` was kept (facts sheet 2.1). The merged form zaps
 * everything with the sister series instead. Whether its test at the wrap was the merged one is not known (facts sheet,
 * section 10); the merged one is used.
 *
 * | event | cost |
 * |---|---|
 * | memslot update | O(1), no lock |
 * | MMIO access after an update | one refault a page |
 * | wrap | O(shadow pages) under one hold of `mmu_lock`; RAM mappings in other pages stay |
 *
 * @param rule Width, start and wrap; 3.11's unless told.
 */
export function seedV2(rule: MmioGenerationRule = GENERATION_3_11): InvalidationStrategy {
  return { ...generation(rule, { wrapZap: "walk" }), name: "seedV2" };
}
