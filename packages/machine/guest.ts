import type { GuestPaging, PagingState } from "@mmu-lab/paging";

/** What a guest instruction does to memory. */
export type AccessKind = "read" | "write" | "rmw";

/** Sizes of an access in bytes. */
export type AccessSize = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Where the guest's code lies, for guests that are more than a stream of accesses. */
export interface GuestCode {
  /** Where the guest starts, and returns to after each access: an `OUT` that hands control to user space. */
  readonly loopRip: number;
  /** Where it goes on after that `OUT`. */
  readonly resumeRip: number;
  /** The instruction that performs an access. */
  readonly ripOf: (kind: AccessKind, size: AccessSize) => number;
  /** The instruction after it, with which the guest goes on if the access was emulated. */
  readonly nextRipOf: (kind: AccessKind, size: AccessSize) => number;
  /** The port of that `OUT`, which the instruction names. */
  readonly outPort: number;
}

/** Where a guest's own page tables lie, in its memory, and how the processor reads them. */
export interface GuestTablesSetup {
  /** CR3 as the vCPU starts. */
  readonly cr3: number;
  /** The control registers that count, and CPUID. */
  readonly paging: PagingState;
}

/** A guest: its own paging, and its code if that matters. */
export interface Guest {
  /** The guest's page tables as the processor meets them. */
  readonly paging: GuestPaging;
  /**
   * Page tables of its own that lie in its memory, for processors whose KVM shadows them; on others it has paging off, unless
   * `paging` says that its entries are these. Then KVM's emulator walks them.
   */
  readonly tables?: GuestTablesSetup;
  /** The own paging of its guest, L2, where the kernel lets it have one; paging off unless told. */
  readonly l2?: GuestPaging;
  /** The guest's code; without it an access is all there is, and instruction fetches are not modelled. */
  readonly code?: GuestCode;
}

/** A guest with paging off and no code: guest-virtual is guest-physical, and only its accesses exist. */
export const FLAT_GUEST: Guest = {
  paging: { levels: 0, entryGpa: () => 0, translate: (gva) => gva },
};

/**
 * Guest paging that maps memory to itself with pages of 1 GiB: a walk reads one entry of each of two tables.
 * The tables must be there: the processor sets bits in them.
 *
 * @param pml4Gpa Where the outer table lies. @param pdptGpas Where the inner tables lie, one for each 512 GiB.
 */
export function identityGuestPaging(pml4Gpa: number, pdptGpas: readonly number[]): GuestPaging {
  return {
    levels: 2,
    entryGpa: (gva, step) =>
      step === 0
        ? pml4Gpa + 8 * (Math.floor(gva / 2 ** 39) % 512)
        : pdptGpas[Math.floor(gva / 2 ** 39)] + 8 * (Math.floor(gva / 2 ** 30) % 512),
    translate: (gva) => gva,
    inMemory: true,
  };
}
