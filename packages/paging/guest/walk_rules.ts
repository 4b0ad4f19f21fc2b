/**
 * What kernels do differently when they walk guest tables, each difference an option named for what it does.
 *
 * @module
 */

/** The choices of a kernel (facts sheet 6.2 to 6.4). All are KVM policy. */
export interface GuestWalkRules {
  /** Name, for people. */
  readonly name: string;
  /**
   * Whose access a table gets that the shadow MMU makes at a level: that which all entries above the leaf allow together
   * (`leaf`, 3.11), or that which the entries above the table allow (`level`, from 5.13 on).
   */
  readonly tableAccess: "leaf" | "level";
  /**
   * Where bit 8 is reserved in entries that link a table: at levels 4 and 3 (3.11, beyond the manuals), the same on AMD
   * alone (4.10), on AMD at levels 5 and 4 (6.1).
   */
  readonly nonLeafGlobal: "levels-4-and-3" | "amd-levels-4-and-3" | "amd-levels-5-and-4";
  /** Whether CPUID is asked before a page of 1 GiB is allowed (6.1), or never (3.11). */
  readonly gigabytePages: "any-processor" | "cpuid";
  /** Whether bits 6:5 of a PDPTE are reserved, as the manual says (6.1), or not looked at (3.11). */
  readonly pdpteBits6And5: "ignored" | "reserved";
  /**
   * How far a page of 4 MiB reaches: to 36 bits (both kernels), or to MAXPHYADDR, 40 at most, as the manual says. Bits
   * above, up to bit 21 of the entry, are reserved.
   */
  readonly pse36: "36-bits" | "maxphyaddr";
  /**
   * Tables in read-only memslots: cannot be read at all (3.11), or are read, and their accessed and dirty bits left as
   * they are (from 3.12 on).
   */
  readonly readOnlyTables: "unreadable" | "not-updated";
  /**
   * What a fault of the second dimension becomes: for a table the guest's own fault without any bit, for the final gpa a
   * failure that fills no fault (`lost`, 3.11); or the nested fault, both times (`reported`, 6.1).
   */
  readonly nestedFault: "lost" | "reported";
  /**
   * When the error code of a fetch says so without SMEP: if execution can be forbidden (`no-execute`, as the manual
   * says), or if EFER.NX is set, also with 32-bit tables that have no such bit (`efer`, 6.1).
   */
  readonly fetchBit: "no-execute" | "efer";
  /**
   * Where the copy of an updated entry is kept: at its level, or by mistake one above (3.11, bug B27), so that it looks
   * changed the next time the shadow MMU compares, and the entry above too.
   */
  readonly updatedCopy: "own-level" | "level-above";
}

/** The manuals of Intel and AMD. */
export const WALK_RULES_ARCHITECTURE: GuestWalkRules = {
  name: "architecture",
  tableAccess: "level",
  nonLeafGlobal: "amd-levels-5-and-4",
  gigabytePages: "cpuid",
  pdpteBits6And5: "reserved",
  pse36: "maxphyaddr",
  readOnlyTables: "not-updated",
  nestedFault: "reported",
  fetchBit: "no-execute",
  updatedCopy: "own-level",
};

/** Linux 6.1 (paging_tmpl.h, mmu.c). */
export const WALK_RULES_6_1: GuestWalkRules = {
  ...WALK_RULES_ARCHITECTURE,
  name: "linux_6_1",
  pse36: "36-bits",
  fetchBit: "efer",
};

/** Linux 4.10 (paging_tmpl.h, mmu.c). */
export const WALK_RULES_4_10: GuestWalkRules = {
  ...WALK_RULES_ARCHITECTURE,
  name: "linux_4_10",
  tableAccess: "leaf",
  nonLeafGlobal: "amd-levels-4-and-3",
  pse36: "36-bits",
};

/** Linux 4.19 from .194 on, and the source of 4.19.152 that was read (paging_tmpl.h): with b1bd5cba3306 of 5.13. */
export const WALK_RULES_4_19: GuestWalkRules = { ...WALK_RULES_4_10, name: "linux_4_19", tableAccess: "level" };

/** Linux 3.11 (paging_tmpl.h, mmu.c). It lets no guest set CR4.SMAP, PKE or LA57. */
export const WALK_RULES_3_11: GuestWalkRules = {
  name: "linux_3_11",
  tableAccess: "leaf",
  nonLeafGlobal: "levels-4-and-3",
  gigabytePages: "any-processor",
  pdpteBits6And5: "ignored",
  pse36: "36-bits",
  readOnlyTables: "unreadable",
  nestedFault: "lost",
  fetchBit: "no-execute",
  updatedCopy: "level-above",
};

/** Linux 3.13 (paging_tmpl.h). */
export const WALK_RULES_3_13: GuestWalkRules = {
  ...WALK_RULES_3_11,
  name: "linux_3_13",
  readOnlyTables: "not-updated",
};
