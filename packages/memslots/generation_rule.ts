/**
 * How `memslots->generation` moves: where it starts, what a publication adds, what the end of an update adds, and how
 * an update in progress shows (facts sheet 4.2 to 4.8). This is the full number of the memslots; what of it an MMIO
 * spte stores is a strategy's business (see `era.ts`).
 *
 * All of it is KVM policy. The kernel's number is a u64; here it is a signed safe integer, so that the start value
 * -150 of 2014 reads as the kernel writes it.
 */
export interface GenerationRule {
  /** Start value for an address space. */
  readonly start: (asId: number) => number;
  /** Added when a new set becomes visible. */
  readonly publishStep: number;
  /** Added after the grace period, when the update is complete. */
  readonly completeStep: number;
  /** How the number between the two steps is told: not at all, by its low bit, or by a flag beside it (bit 63). */
  readonly inProgress: "unmarked" | "odd" | "flag";
  /** Address spaces a VM has: 1, or 2 with system management mode. */
  readonly addressSpaces: number;
}

/** What code that runs while memslots change may see of a set's generation. */
export interface MemslotsView {
  /** The generation, without any in-progress flag beside it. */
  readonly generation: number;
  /** Whether the set is marked as being updated; never true where the rule does not mark it. */
  readonly updateInProgress: boolean;
}
