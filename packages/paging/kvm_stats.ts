/**
 * KVM's own statistics, by the names of debugfs (facts sheet 9.1), counted where 3.11 counts them. Unlike work counters
 * they follow the kernel's habits, its mistakes included.
 */
export class KvmStats {
  /** Mappings installed by a fault, MMIO sptes included. */
  pf_fixed = 0;
  /** Exits to user space for MMIO, as far as the kernel counts them: hits of an EPT misconfiguration are left out. */
  mmio_exits = 0;
  /** Instructions emulated. */
  insn_emulation = 0;
  /** Exits to user space for port I/O. */
  io_exits = 0;
  /** Exits from the guest. */
  exits = 0;
  /** Shadow pages zapped, a root twice if it was in use. */
  mmu_shadow_zapped = 0;
  /** Shadow pages that had to be made. */
  mmu_cache_miss = 0;
  /** Shadow pages zapped to make room. */
  mmu_recycled = 0;
  /**
   * Large mappings. 3.11 also counts each MMIO spte that happens to have bit 7 set, generation bit 4, for it looks at
   * that bit without asking what it stored.
   */
  largepages = 0;
  /** Page faults injected into the guest. */
  pf_guest = 0;
  /** INVLPG instructions of a guest with shadow paging. */
  invlpg = 0;
  /** TLB flushes that a vCPU asked of itself. */
  tlb_flush = 0;
  /** Writes to guest memory by the emulator, while any guest table is shadowed. */
  mmu_pte_write = 0;
  /** Entries set at once because such a write changed them. */
  mmu_pte_updated = 0;
  /** Entries above level 1 dropped because such a write changed them. */
  mmu_pde_zapped = 0;
  /** Shadow pages zapped because they were written to too often, or askew. */
  mmu_flooded = 0;
  /** Shadow pages that may be out of date now. */
  mmu_unsync = 0;
  /** From here on: what 6.1 counts and 3.11 does not. Faults that reached the page-fault handler. */
  pf_taken = 0;
  /** Faults after which the access was emulated, but for those that an MMIO spte answered. */
  pf_emulate = 0;
  /** Faults that somebody else had mended. */
  pf_spurious = 0;
  /** Faults mended, or found mended, without `mmu_lock`. */
  pf_fast = 0;
  /** MMIO sptes written by a fault. */
  pf_mmio_spte_created = 0;
  /** Mappings of 4 KiB now. */
  pages_4k = 0;
  /** Mappings of 2 MiB now. */
  pages_2m = 0;
  /** Mappings of 1 GiB now. */
  pages_1g = 0;
}

/** Counts mappings of a level, as they come or go (`kvm_update_page_stats`, 6.1). */
export function countMappings(stats: KvmStats, level: number, by: number): void {
  if (level === 1) stats.pages_4k += by;
  else if (level === 2) stats.pages_2m += by;
  else stats.pages_1g += by;
}
