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
}
