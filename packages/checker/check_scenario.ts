/**
 * The contract of a small scenario: what is set up, and what then happens at the same time. Plain data.
 *
 * @module
 */
import type { AccessKind } from "@mmu-lab/machine";
import type { Gfn, MemoryRegion } from "@mmu-lab/memslots";

/** One access of a vCPU to a guest frame: 4 bytes at its start. */
export interface CheckAccess {
  /** What it does. */
  readonly kind: AccessKind;
  /** Which frame. */
  readonly gfn: Gfn;
  /** Whether it happens in system management mode, which the vCPU enters or leaves first if need be; not unless told. */
  readonly smm?: boolean;
  /** Whether L2 makes it, a guest of the guest, to a page of its own; the vCPU enters or leaves L2 first if need be. */
  readonly l2?: boolean;
}

/** What happens before the actors start, one after the other. */
export type Prelude =
  | ({ readonly op: "access"; readonly vcpu: number } & CheckAccess)
  | ({ readonly op: "memslot" } & MemoryRegion);

/** An entry of a guest's page table, or of the EPT that it keeps for a guest of its own. */
export interface GuestMapping {
  /** The linear page, or the page of L2, which accesses name as their `gfn`. */
  readonly page: number;
  /** The frame it leads to. */
  readonly gfn: Gfn;
  /** Bits 11:0 of the entry, such as 0x27: present, writable, user, accessed. */
  readonly bits: number;
}

/** A small scenario. */
export interface CheckScenario {
  /** A short name. */
  readonly name: string;
  /** What it is for, in a line. */
  readonly summary: string;
  /** What happens first, in order; the vCPUs are there already. */
  readonly prelude: readonly Prelude[];
  /**
   * Page tables of the guest's own, for kernels that shadow them: where each linear page leads, and the low bits of its
   * entry. Without, each page leads to itself; other kernels give the guest no paging.
   */
  readonly tables?: readonly GuestMapping[];
  /** The EPT that the guest keeps for L2: where each page of L2 leads, and the low bits of its entry, such as 7. */
  readonly ept?: readonly GuestMapping[];
  /** What the program that runs the VM writes over such entries, in order, without telling KVM. */
  readonly rewrites?: readonly GuestMapping[];
  /** For each vCPU, its accesses in order. */
  readonly vcpus: readonly (readonly CheckAccess[])[];
  /** Whether the vCPUs make their accesses over and over, for ever. */
  readonly endless?: boolean;
  /** Memslot ioctls that one user-space thread makes in order. */
  readonly updates: readonly MemoryRegion[];
  /** Pieces of background work that the strategy does on a thread of its own; 0 unless told. */
  readonly sweeps?: number;
}
