/**
 * Which events of a recording are compared, by level. Level 1 is what the guest and user space can see, and the MMIO
 * sptes; level 2 adds how KVM got there; level 3 the MMU's own work: shadow pages, every entry, walks of guest tables.
 *
 * @module
 */

/** A level of comparison. */
export type Level = 1 | 2 | 3;

/** The levels, lowest first. */
export const LEVELS: readonly Level[] = [1, 2, 3];

/** The level that is compared unless told. */
export const DEFAULT_LEVEL: Level = 2;

/** Events of level 1. Of `mmu_spte_set` only those that store an MMIO spte; the others are of level 3. */
const LEVEL_1: readonly string[] = [
  "mmu_spte_set",
  "make_mmio_spte",
  "make_mmio_spte_ret",
  "mark_mmio_spte",
  "check_mmio_spte",
  "handle_mmio_page_fault",
];

/** Events that level 2 adds. */
const LEVEL_2: readonly string[] = [
  "mmio_page_fault",
  "mmio_page_fault_ret",
  "ept_misconfig_ret",
  "mmu_page_fault",
  "mmu_page_fault_ret",
  "kvm_exit",
  "kvm_page_fault",
  "vcpu_match_mmio",
  "kvm_mmio",
  "kvm_userspace_exit",
  "set_memory_region",
  "set_memory_region_ret",
  "swap_memslots",
  "swap_active_memslots",
  "memslots_updated",
  "flush_shadow_memslot",
  "unmap_gfn_range",
  "unmap_gfn_range_ret",
  "kvm_mmu_invalidate_zap_all_pages",
  "kvm_mmu_zap_all_fast",
  "commit_memory_region",
];

/** Events that level 3 adds. */
const LEVEL_3: readonly string[] = [
  "kvm_mmu_get_page",
  "kvm_mmu_prepare_zap_page",
  "kvm_mmu_sync_page",
  "kvm_mmu_unsync_page",
  "kvm_mmu_set_spte",
  "kvm_mmu_spte_requested",
  "kvm_tdp_mmu_spte_changed",
  "fast_page_fault",
  "kvm_mmu_pagetable_walk",
  "kvm_mmu_paging_element",
  "kvm_mmu_set_accessed_bit",
  "kvm_mmu_set_dirty_bit",
  "kvm_mmu_walker_error",
];

const LEVEL_OF: ReadonlyMap<string, Level> = new Map<string, Level>([
  ...LEVEL_1.map((name): [string, Level] => [name, 1]),
  ...LEVEL_2.map((name): [string, Level] => [name, 2]),
  ...LEVEL_3.map((name): [string, Level] => [name, 3]),
]);

/** The lowest level that compares an event, or `undefined` if none does. */
export function levelOfEvent(name: string): Level | undefined {
  return LEVEL_OF.get(name);
}

/**
 * Exits that depend on when an interrupt of the host arrives, and not on what the guest does. They are in no level.
 */
export const TIMING_EXITS: readonly string[] = ["EXTERNAL_INTERRUPT", "interrupt", "NMI_WINDOW", "INTERRUPT_WINDOW"];
