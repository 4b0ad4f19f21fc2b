/** What kernels do differently with shadow pages; KVM policy throughout. A profile chooses. */
export interface PageRules {
  /**
   * How all pages become obsolete at once. `counted`: `mmu_valid_gen` goes up by one, and all vCPUs must take new roots
   * (3.11 to 5.3). `toggled`: it is 0 and 1 by turns, and vCPUs drop the roots that are obsolete (5.4 on; the request spares
   * other roots from 5.18 on). Facts sheet 6.7.
   */
  readonly validGeneration: "counted" | "toggled";
  /**
   * Where a zapped page goes that some vCPU has as root. `newest`: to the head of the list of active pages (3.11). `unlisted`:
   * off the list, until the last vCPU drops it (6.1).
   */
  readonly zappedRoot: "newest" | "unlisted";
  /**
   * Which pages go when there are too many. `oldest`: the oldest, roots too, one at a time; nobody counts those that a smaller
   * limit costs (3.11). `oldest-up-to-root`: the same, and a root, which stays until its vCPU drops it, ends it (26eeb53cf0f0,
   * 4.14; read in 4.19). `oldest-but-roots`: roots stay, and all are counted that go (6.1).
   */
  readonly reclaim: "oldest" | "oldest-up-to-root" | "oldest-but-roots";
  /** Whether prefetch fills the run of entries at the end of the eight (6.1), or leaves it out (to 4.19). */
  readonly prefetchesLastRun: boolean;
  /**
   * How the first write to a page is seen that is logged: the mapping is `write-protected`, or the processor logs it when
   * it sets the `dirty-bit` (page modification logging).
   */
  readonly dirtyLog: "write-protected" | "dirty-bit";
  /**
   * What becomes of a large mapping whose slot logs dirty pages, or in which a guest table is to be shadowed: it goes (3.11),
   * or loses write access like others, and the first write drops it (4.10, 6.1).
   */
  readonly loggedLargePage: "dropped" | "write-protected";
  /**
   * When the end of a memslot update sets the limit of shadow pages, and takes write access from a slot that logs dirty
   * pages. `always`: whatever the change was (3.11). `by-change`: the limit when a slot comes or goes, write access when
   * flags change (6.1).
   */
  readonly commit: "always" | "by-change";
  /**
   * Which mappings go once a slot logs dirty pages no more. `none` (3.11). `of-huge-pages`: those of 4 KiB whose host page is
   * larger, whatever the slot allows (4.10). `collapsible`: those that a large page could stand for (6.1).
   */
  readonly collapses: "none" | "of-huge-pages" | "collapsible";
  /**
   * Which change of a mapping that stays is flushed. `write-lost`: of one that the guest could write and now cannot (3.11).
   * `state-lost`: also of one that could have become writable, for stale TLB entries may say so, and when accessed or dirty
   * bits are taken (`mmu_spte_update`, 4.19 and 6.1). `state-changed`: the same, and when such bits are set (4.10).
   */
  readonly flushedUpdate: "write-lost" | "state-lost" | "state-changed";
  /**
   * When TLBs are flushed after write access was taken from a slot: `always` (3.11, and 6.1, where faults may have done it
   * without a flush), or only `if-taken` from any mapping (4.10 `kvm_mmu_slot_remove_write_access`).
   */
  readonly flushedSlot: "always" | "if-taken";
  /**
   * Which flushes the statistic `tlb_flush` counts: those that a vCPU asks of itself (3.11), or those that it does because
   * anybody has asked (4.10 `kvm_vcpu_flush_tlb`). Facts sheet 9.1.
   */
  readonly countedFlushes: "asked" | "done";
  /** Whether user space, as it sets a vCPU's registers, has it flush its TLB (`__set_sregs`, 6.12). Only statistics show it. */
  readonly flushesForSregs: boolean;
  /** Whether direct pages have EFER.NX in their role (`kvm_calc_tdp_mmu_root_page_role`, 6.1). Only tracepoints show it. */
  readonly directNx: boolean;
}

/** The rules of 3.11. */
export const PAGE_RULES_3_11: PageRules = {
  validGeneration: "counted",
  zappedRoot: "newest",
  reclaim: "oldest",
  prefetchesLastRun: false,
  dirtyLog: "write-protected",
  loggedLargePage: "dropped",
  commit: "always",
  collapses: "none",
  flushedUpdate: "write-lost",
  flushedSlot: "always",
  countedFlushes: "asked",
  flushesForSregs: false,
  directNx: false,
};

/** The rules of 4.10. */
export const PAGE_RULES_4_10: PageRules = {
  ...PAGE_RULES_3_11,
  loggedLargePage: "write-protected",
  collapses: "of-huge-pages",
  flushedUpdate: "state-changed",
  flushedSlot: "if-taken",
  countedFlushes: "done",
};

/** The rules of 4.19. */
export const PAGE_RULES_4_19: PageRules = {
  ...PAGE_RULES_4_10,
  reclaim: "oldest-up-to-root",
  flushedUpdate: "state-lost",
};

/** The rules of 6.1. */
export const PAGE_RULES_6_1: PageRules = {
  validGeneration: "toggled",
  zappedRoot: "unlisted",
  reclaim: "oldest-but-roots",
  prefetchesLastRun: true,
  dirtyLog: "write-protected",
  loggedLargePage: "write-protected",
  commit: "by-change",
  collapses: "collapsible",
  flushedUpdate: "state-lost",
  flushedSlot: "always",
  countedFlushes: "done",
  flushesForSregs: false,
  directNx: true,
};

/** The rules of 6.12. */
export const PAGE_RULES_6_12: PageRules = { ...PAGE_RULES_6_1, flushesForSregs: true };
