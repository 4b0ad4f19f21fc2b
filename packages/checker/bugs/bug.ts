/**
 * The contract of a historical bug: a configuration of the normal parts that has it, one that has not, and the small
 * scenario in which it shows. Plain data; no part has code of its own for a bug.
 *
 * @module
 */
import type { Profile } from "@mmu-lab/machine";
import type { CheckScenario } from "../check_scenario.ts";
import type { VmWorldOptions } from "../vm_world.ts";

/** The commit that ended a bug. */
export interface BugFix {
  /** The first 12 digits of its id; `undefined` where no single commit is known. */
  readonly commit: string | undefined;
  /** Its subject, or what ended the bug in effect. */
  readonly subject: string;
}

/** Numbers of the memslots with which a bug shows, if a kernel has it. */
export interface BugNumbers {
  /** After how many updates the number is the same again; after as many as the kernel's bits allow unless told. */
  readonly updatesInAll?: number;
  /** Which update, counted from when the vCPUs are there, takes it over the wrap; as the kernel has it unless told. */
  readonly wrapAt?: number;
  /** Whether it begins so that the next update takes it beyond the bits that an spte keeps, if those are too few. */
  readonly beforeTheTop?: boolean;
}

/** A bug of KVM's MMIO caching, as history or derivation has it (facts sheet, section 5). */
export interface Bug {
  /** Its number in the facts sheet, such as `B04`. */
  readonly id: string;
  /** What goes wrong, in a few words. */
  readonly title: string;
  /** Kernels that have it. */
  readonly kernels: string;
  /** What ended it. */
  readonly fixedBy: BugFix;
  /** What else there is to know, in a sentence or two. */
  readonly note?: string;
  /** The property that it breaks, as the message of the violation begins. */
  readonly breaks: string;
  /** The same in kernels on other processors, where it begins in another way. */
  readonly breaksElsewhere?: readonly string[];
  /** A kernel that has the bug: the fixed one, but for what was wrong. */
  readonly profile: () => Profile;
  /** The same kernel with the fix. */
  readonly fixed: () => Profile;
  /** Where it shows. */
  readonly scenario: CheckScenario;
  /** What the scenario needs of the numbers of a kernel; nothing unless told. */
  readonly numbers?: BugNumbers;
  /** When a memslot change counts as made, and how many exits an access may cause; as usual unless told. */
  readonly world?: VmWorldOptions;
}
