import type { GenerationRule } from "./generation_rule.ts";

/**
 * Moments of a memslot update, in this order; `flushing` only between the two publications of a delete or move.
 *
 * | phase | when | kernel |
 * |---|---|---|
 * | `publishing` | the new set is ready and not yet visible | before `rcu_assign_pointer` |
 * | `published` | visible, the grace period is over, still marked as in flux where the era marks it | after `synchronize_srcu_expedited` |
 * | `completed` | the set has its final generation | end of `install_new_memslots` / `kvm_swap_active_memslots` |
 * | `flushing` | the slot is invalid for everybody, its mappings are about to go | `kvm_arch_flush_shadow_memslot` |
 * | `committed` | the update is done but for freeing | `kvm_arch_commit_memory_region` |
 */
export type UpdatePhase = "publishing" | "published" | "completed" | "flushing" | "committed";

/** When the number is considered to go round, and everything is zapped. */
export type WrapRule =
  /** The mmio generation has reached a value (3.11: the last but one, as the check misses intermediate sets). */
  | { readonly kind: "at-least"; readonly value: number }
  /** The mmio generation is zero, not looking at some low bits (those that tell address spaces apart). */
  | { readonly kind: "zero"; readonly ignore: number };

/**
 * What MMIO sptes make of the memslot generation in one era: the mmio generation is `(generation + bias) & mask`.
 * Facts sheet 4.8.
 */
export interface MmioGenerationRule {
  /** The values that the mmio generation may take, as a mask: 0x7ffff for 19 bits. */
  readonly mask: number;
  /** Added to the memslot generation before it is cut to the mask. */
  readonly bias: number;
  /** When everything is zapped. */
  readonly wrap: WrapRule;
  /** The phase of an update in which the wrap is looked for. */
  readonly wrapCheckedAt: UpdatePhase;
}

/** A stretch of kernel history with one rule for the generation. */
export interface Era {
  /** Its short name in the facts sheet. */
  readonly name: EraName;
  /** Kernels, for people; boundaries other than 3.10, 3.11, 4.10, 4.19, 6.1 and 6.12 are inferred. */
  readonly kernels: string;
  /** How `memslots->generation` moves. */
  readonly memslots: GenerationRule;
  /** What MMIO sptes store of it; `null` in G0, where they store nothing. */
  readonly mmio: MmioGenerationRule | null;
}

/** The eras that are modelled; see facts sheet 4.8. */
export type EraName = "G0" | "G1" | "G1b" | "G2" | "G3" | "G3s" | "G4" | "G7" | "G8";

const fromZero = () => 0;
const simple: GenerationRule = {
  start: fromZero,
  publishStep: 1,
  completeStep: 0,
  inProgress: "unmarked",
  addressSpaces: 1,
};
const apart: GenerationRule = {
  start: (asId) => 2 * asId - 150,
  publishStep: 1,
  completeStep: 3,
  inProgress: "odd",
  addressSpaces: 2,
};
const flagged: GenerationRule = {
  start: (asId) => asId,
  publishStep: 0,
  completeStep: 2,
  inProgress: "flag",
  addressSpaces: 2,
};
/** A VM of 3.11 would need 2^19 updates to go round; the bias lets it happen after 150, so that the code is used. */
const BIAS_3_11 = 0x7ffff - 150;

/** All eras by name. */
export const ERAS: Readonly<Record<EraName, Era>> = {
  G0: { name: "G0", kernels: "up to 3.10", memslots: simple, mmio: null },
  G1: {
    name: "G1",
    kernels: "3.11",
    memslots: simple,
    mmio: {
      mask: 0x7ffff,
      bias: BIAS_3_11,
      wrap: { kind: "at-least", value: 0x7fffe },
      wrapCheckedAt: "committed",
    },
  },
  G1b: {
    name: "G1b",
    kernels: "3.12 to 3.16",
    memslots: simple,
    mmio: {
      mask: 0x7ffff,
      bias: BIAS_3_11,
      wrap: { kind: "at-least", value: 0x7ffff },
      wrapCheckedAt: "completed",
    },
  },
  G2: {
    name: "G2",
    kernels: "3.17 to 4.10",
    memslots: { start: () => -150, publishStep: 1, completeStep: 1, inProgress: "odd", addressSpaces: 2 },
    mmio: { mask: 0xfffff, bias: 0, wrap: { kind: "zero", ignore: 0 }, wrapCheckedAt: "completed" },
  },
  G3: {
    name: "G3",
    kernels: "4.11 to 5.0",
    memslots: apart,
    mmio: { mask: 0xfffff, bias: 0, wrap: { kind: "zero", ignore: 0 }, wrapCheckedAt: "completed" },
  },
  G3s: {
    name: "G3s",
    kernels: "4.19.y with the fixes of 2019",
    memslots: apart,
    mmio: { mask: 0xfffff, bias: 0, wrap: { kind: "zero", ignore: 3 }, wrapCheckedAt: "published" },
  },
  G4: {
    name: "G4",
    kernels: "5.1 to 5.3",
    memslots: flagged,
    mmio: { mask: 0x7ffff, bias: 0, wrap: { kind: "zero", ignore: 1 }, wrapCheckedAt: "published" },
  },
  G7: {
    name: "G7",
    kernels: "5.11 to 5.12 (5.6 to 5.10 with a smaller effective field)",
    memslots: flagged,
    mmio: { mask: 0x3ffff, bias: 0, wrap: { kind: "zero", ignore: 1 }, wrapCheckedAt: "published" },
  },
  G8: {
    name: "G8",
    kernels: "5.13 to 6.12",
    memslots: flagged,
    mmio: { mask: 0x7ffff, bias: 0, wrap: { kind: "zero", ignore: 1 }, wrapCheckedAt: "published" },
  },
};

/**
 * The mmio generation for a memslot generation.
 *
 * @param rule The era's rule. @param generation A memslot generation.
 */
export function mmioGeneration(rule: MmioGenerationRule, generation: number): number {
  return ((generation | 0) + rule.bias) & rule.mask;
}

/** Whether an mmio generation is one at which everything is zapped. */
export function wraps(rule: MmioGenerationRule, mmioGen: number): boolean {
  const { wrap } = rule;
  return wrap.kind === "at-least" ? mmioGen >= wrap.value : (mmioGen & ~wrap.ignore) === 0;
}
