import type { Gfn } from "@mmu-lab/memslots";

/** What a failed walk is: a page fault of the guest, or one of the two exits to a guest hypervisor that keeps EPT. */
export type GuestFaultKind = "page-fault" | "ept-violation" | "ept-misconfiguration";

/** A fault for the guest (`struct x86_exception`). Overwritten by the next walk that fails. */
export class GuestFault {
  /** What it is. */
  kind: GuestFaultKind = "page-fault";
  /** PFERR bits; with EPT only RSVD means something, see {@linkcode GuestFault.exitQualification}. */
  errorCode = 0;
  /** Bits 31:0 of the address that was walked, int32. */
  addressLo = 0;
  /** Bits 63:32 of the address that was walked, int32. */
  addressHi = 0;
  /** Whether it is for the hypervisor in the guest (`nested_page_fault`). */
  nested = false;
  /**
   * Exit qualification of an EPT violation: bits 2:0 what the access did, 5:3 what the entries on the way allow, 8:7 as
   * in the exit that is being served (6.1 paging_tmpl.h; facts sheet 7.4).
   */
  exitQualification = 0;

  /** Takes over what another fault says. */
  copy(from: GuestFault): void {
    this.kind = from.kind;
    this.errorCode = from.errorCode;
    this.addressLo = from.addressLo;
    this.addressHi = from.addressHi;
    this.nested = from.nested;
    this.exitQualification = from.exitQualification;
  }
}

/** Levels 1 to 5, and one more place, where the copy of a top-level entry goes with bug B27. */
const PLACES = 6;

/**
 * What a walk of guest tables leaves behind (`struct guest_walker`, paging_tmpl.h): one object for all walks of a vCPU,
 * overwritten by the next. The arrays are indexed by `level - 1`, and hold what was read at levels
 * {@linkcode GuestWalker.maxLevel} down to {@linkcode GuestWalker.level}.
 */
export class GuestWalker {
  /** Level of the entry read last; of the leaf if the walk succeeded. 1 with paging off. */
  level = 0;
  /** Level of the first entry read from memory: 2 with PAE, 0 with paging off. */
  maxLevel = 0;
  /** Frame that the address is in, in the space of the innermost tables (`walker->gfn`). */
  gfn: Gfn = 0;
  /** What leaf and entries above allow: exec 1, write 2, user 4. Without write where a write must first set the dirty bit. */
  pteAccess = 0;
  /** What the entries above each entry allow together (`pt_access[]` of 6.1; that of 3.11 is the leaf's). */
  readonly ptAccess: Uint8Array = new Uint8Array(PLACES);
  /** Low and high lane of each entry, at `2 * (level - 1)`. */
  readonly ptes: Int32Array = new Int32Array(2 * PLACES);
  /** The table of each entry, before a second dimension translates it. */
  readonly tableGfn: Float64Array = new Float64Array(PLACES);
  /** Guest-physical address of each entry, before a second dimension translates it. */
  readonly pteGpa: Float64Array = new Float64Array(PLACES);
  /** Where each entry lies, as `GuestTables` says it (`ptep_user`). */
  readonly ptep: Float64Array = new Float64Array(PLACES);
  /** Why the walk failed. */
  readonly fault: GuestFault = new GuestFault();
}
