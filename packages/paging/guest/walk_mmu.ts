import type { Gfn } from "@mmu-lab/memslots";
import type { WorkCounters } from "@mmu-lab/protocol";
import type { TraceSink } from "@mmu-lab/tracing";
import type { GuestRole } from "./guest_role.ts";
import type { GuestTables } from "./guest_tables.ts";
import type { GuestFault } from "./guest_walker.ts";

/** A second dimension: translates what the tables of the first call guest-physical (`translate_nested_gpa`). */
export interface GpaTranslator {
  /** Why the last translation failed. */
  readonly fault: GuestFault;
  /**
   * Translates a frame.
   *
   * @param gfn The frame. @param access PFERR bits of the access; that it is a user's goes without saying.
   * @returns The frame behind it, or -1.
   */
  translateGfn(gfn: Gfn, access: number): Gfn;
}

/** What the MMU of a vCPU for one set of guest tables is put together from. */
export interface WalkMmuParts {
  /** How tables are read. */
  readonly role: GuestRole;
  /** Guest memory. */
  readonly tables: GuestTables;
  /** Work done. */
  readonly counters: WorkCounters;
  /** Where tracepoints go. */
  readonly trace: TraceSink;
  /** The vCPU's number, for tracepoints. */
  readonly vcpu: number;
  /** What translates the addresses of tables and pages; left out where they are the VM's own. */
  readonly nested?: GpaTranslator;
  /** Whether faults are for the hypervisor in the guest: whether this is not the `walk_mmu`. */
  readonly faultsAreNested?: boolean;
}

/**
 * The part of `struct kvm_mmu` that walks guest tables: the role of the tables, where they begin, and those registers
 * that count at each access and are in no role.
 */
export class WalkMmu {
  /** How tables are read; set it when the guest sets a control register. */
  declare role: GuestRole;
  /** Bits 31:0 of CR3, or of the EPTP. */
  rootLo = 0;
  /** Bits 63:32 of CR3, or of the EPTP. */
  rootHi = 0;
  /** The four PDPTEs of PAE as the processor keeps them, low and high lane by turns; see `loadPdptrs`. */
  readonly pdptrs: Int32Array = new Int32Array(8);
  /** PKRU. */
  pkru = 0;
  /** EFLAGS.AC: explicit accesses of the supervisor need not heed SMAP. */
  rflagsAc = false;
  /** Exit qualification of the exit that is being served, if that is an EPT violation. */
  exitQualification = 0;
  /** Guest memory. */
  declare readonly tables: GuestTables;
  /** Work done. */
  declare readonly counters: WorkCounters;
  /** Where tracepoints go. */
  declare readonly trace: TraceSink;
  /** The vCPU's number. */
  declare readonly vcpu: number;
  /** What translates the addresses of tables and pages. */
  declare readonly nested: GpaTranslator | undefined;
  /** Whether faults are for the hypervisor in the guest. */
  declare readonly faultsAreNested: boolean;

  /** Makes one whose tables begin at frame 0. */
  constructor(parts: WalkMmuParts) {
    this.role = parts.role;
    this.tables = parts.tables;
    this.counters = parts.counters;
    this.trace = parts.trace;
    this.vcpu = parts.vcpu;
    this.nested = parts.nested;
    this.faultsAreNested = parts.faultsAreNested ?? false;
  }
}
