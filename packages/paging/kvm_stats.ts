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
}
