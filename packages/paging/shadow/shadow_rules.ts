/**
 * What kernels do differently when they shadow guest tables, each difference a rule named for what it does. KVM policy
 * throughout; a profile chooses.
 *
 * @module
 */

/** The choices of a kernel. */
export interface ShadowRules {
  /**
   * What a write fault does on a present page that holds a shadowed table above level 1. `mapped`: it is mapped like any
   * other, without write access, and then emulated (3.11). `emulated-at-once`: write tracking (`page_track.c`, from 4.7
   * on) has the access emulated, nothing is mapped, and the floods of the tables it was reached by are forgotten.
   */
  readonly writeToUpperTable: "mapped" | "emulated-at-once";
  /**
   * Whose entries a write to a guest table sets anew at once, and does not only drop: those of pages that share with the
   * vCPU the size of entries, NX and WP (`same-format`, 3.11); those that share SMEP and SMAP without WP and the address
   * space too (`same-mode`, from 4.2 on); nobody's (`never`, 6.1).
   */
  readonly setsAnew: "same-format" | "same-mode" | "never";
  /**
   * Whether a page that is obsolete and not zapped yet still counts when a frame is made writable or written
   * (`for_each_gfn_valid_sp` asks from 4.7 on).
   */
  readonly obsoletePages: "count" | "passed-over";
  /** Whether CR3 may be loaded with an address that has no slot: a #GP (3.11), or found out when a root is taken. */
  readonly cr3WithoutSlot: "refused" | "loaded";
  /** How many roots a vCPU keeps beside its own, to have them at once when CR3 comes back (`prev_roots`, 4.19 on). */
  readonly previousRoots: 0 | 3;
  /**
   * What is done about pages that may be out of date below a page that is found again. `requested`: the vCPU syncs all
   * before it runs on (4.10). `before-link`: they are synced before the page is linked (from 5.15 on); should that take
   * a lock break, the guest tries again.
   */
  readonly syncOfChildren: "requested" | "before-link";
  /**
   * What becomes of level-1 pages of a frame that may be out of date when the frame comes to be a table above level 1:
   * they are `synced`, or `zapped`, whatever comes of the search for the new page (from 5.15 on).
   */
  readonly unsyncUnderUpper: "synced" | "zapped";
  /** What becomes of a page that maps nothing after a sync: `zapped` (4.10), or `kept` (from 5.16 on). */
  readonly emptyAfterSync: "zapped" | "kept";
  /**
   * What a sync does with an entry whose frame and guest rights are as before: it is `made-anew` with its other bits, or
   * `left-alone` (6.12).
   */
  readonly unchangedRights: "made-anew" | "left-alone";
  /**
   * Whose TLBs a change that was found in guest tables flushes: the vCPU's `own`, or, if an entry went, those of `all` (from
   * 5.15 on).
   */
  readonly flushesAfterSync: "own" | "all";
  /** What INVLPG does with an entry that may be out of date: `zapped` and prefetched, or `synced` (6.12). */
  readonly invalidatedEntry: "zapped" | "synced";
  /** Whether prefetch may mark pages as out of date, and not only map without write access (to 5.14). */
  readonly prefetchUnsyncs: boolean;
  /**
   * Which table below an entry serves a walk. `any`: what is linked there (4.10; bug: a table whose gfn or role does not fit
   * the guest's entry any more). `same-role`: that of the guest's gfn and with its role, else it is replaced (6.1.192).
   */
  readonly linkedTable: "any" | "same-role";
  /**
   * How a large guest page is mapped that holds a table of its own address: by `small-pages` always (to 6.3), or as the
   * counts of shadowed tables say by then (`by-counts`, 6.12).
   */
  readonly selfChange: "small-pages" | "by-counts";
  /**
   * Whether a page fault that the guest gets for an entry that is present drops what is mapped at its address first
   * (`kvm_inject_emulated_page_fault`, from 5.8 on).
   */
  readonly faultInvalidates: boolean;
  /**
   * Whether `pf_fixed` counts a fault that mapped nothing, for the guest had changed an entry meanwhile (to 4.19.83), or only
   * what was mapped.
   */
  readonly countsUnmapped: boolean;
  /** Whether pages count as made with EFER.NX, which the processor has set then, whatever the guest has (from 5.14 on). */
  readonly forcesNx: boolean;
  /**
   * Whether the walk after a stale MMIO spte is told that a bit was reserved, which was in KVM's own entry (to 4.4), or not
   * (e9ee956e311d, 4.5). Only its tracepoint shows it.
   */
  readonly reservedBit: "told" | "cleared";
}

/** The rules of 3.11 (mmu.c, x86.c). */
export const SHADOW_RULES_3_11: ShadowRules = {
  writeToUpperTable: "mapped",
  setsAnew: "same-format",
  obsoletePages: "count",
  cr3WithoutSlot: "refused",
  previousRoots: 0,
  syncOfChildren: "requested",
  unsyncUnderUpper: "synced",
  emptyAfterSync: "zapped",
  unchangedRights: "made-anew",
  flushesAfterSync: "own",
  invalidatedEntry: "zapped",
  prefetchUnsyncs: true,
  linkedTable: "any",
  selfChange: "small-pages",
  faultInvalidates: false,
  countsUnmapped: true,
  forcesNx: false,
  reservedBit: "told",
};

/** The rules of 3.13. */
export const SHADOW_RULES_3_13: ShadowRules = { ...SHADOW_RULES_3_11, cr3WithoutSlot: "loaded" };

/** The rules of 4.10. */
export const SHADOW_RULES_4_10: ShadowRules = {
  ...SHADOW_RULES_3_13,
  writeToUpperTable: "emulated-at-once",
  setsAnew: "same-mode",
  obsoletePages: "passed-over",
  reservedBit: "cleared",
};

/** The rules of 4.19, but for `countsUnmapped` in late ones. */
export const SHADOW_RULES_4_19: ShadowRules = { ...SHADOW_RULES_4_10, previousRoots: 3 };

/** The rules of 6.1 (mmu.c, paging_tmpl.h). */
export const SHADOW_RULES_6_1: ShadowRules = {
  ...SHADOW_RULES_4_19,
  setsAnew: "never",
  syncOfChildren: "before-link",
  unsyncUnderUpper: "zapped",
  emptyAfterSync: "kept",
  flushesAfterSync: "all",
  prefetchUnsyncs: false,
  linkedTable: "same-role",
  faultInvalidates: true,
  forcesNx: true,
};

/** The rules of 6.12. */
export const SHADOW_RULES_6_12: ShadowRules = {
  ...SHADOW_RULES_6_1,
  unchangedRights: "left-alone",
  invalidatedEntry: "synced",
  selfChange: "by-counts",
};
