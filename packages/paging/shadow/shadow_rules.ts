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
   * Which bits of its role a page must share with the vCPU for an entry that the vCPU's guest writes to be set anew at
   * once: size of entries, NX and WP (3.11); or those, SMEP and SMAP without WP, and the address space (from 4.2 on).
   */
  readonly setsAnew: "same-format" | "same-mode";
  /**
   * Whether a page that is obsolete and not zapped yet still counts when a frame is made writable or written
   * (`for_each_gfn_valid_sp` asks from 4.7 on).
   */
  readonly obsoletePages: "count" | "passed-over";
  /** Whether CR3 may be loaded with an address that has no slot: a #GP (3.11), or found out when a root is taken. */
  readonly cr3WithoutSlot: "refused" | "loaded";
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
  reservedBit: "told",
};

/** The rules of 3.13. */
export const SHADOW_RULES_3_13: ShadowRules = { ...SHADOW_RULES_3_11, cr3WithoutSlot: "loaded" };

/** The rules of 4.10. */
export const SHADOW_RULES_4_10: ShadowRules = {
  writeToUpperTable: "emulated-at-once",
  setsAnew: "same-mode",
  obsoletePages: "passed-over",
  cr3WithoutSlot: "loaded",
  reservedBit: "cleared",
};
