import type { KvmStats } from "@mmu-lab/paging";
import type { Level } from "./levels.ts";

/** How much agrees at one level. */
export interface LevelScore {
  /** Outcomes and events that agree. */
  readonly matched: number;
  /** All of them: those of the recording, and those that the model has alone. */
  readonly total: number;
}

/** An event of the kernel beside the model's, as text; `nothing` where one of them has none. */
export interface EventPair {
  /** What the kernel did. */
  readonly kernel: string;
  /** What the model did. */
  readonly model: string;
}

/** A place where kernel and model differ. */
export interface Mismatch extends EventPair {
  /** The lowest level that sees it. */
  readonly level: Level;
  /** The operation, as the recorder numbers it. */
  readonly seq: number;
  /** The operation, for people. */
  readonly operation: string;
  /** The line of the recording where it shows. */
  readonly line: number;
  /** What came before it and was compared, at most {@linkcode RECENT_EVENTS}, latest last. */
  readonly recent: readonly EventPair[];
}

/** What came of holding the model against a recording. */
export interface Conformance {
  /** Name of the profile that the model was. */
  readonly profile: string;
  /** The score of each level that was asked for; a level includes those below it. */
  readonly levels: Readonly<Partial<Record<Level, LevelScore>>>;
  /**
   * KVM's own statistics as the model counts them, when the VM is about to be destroyed or the recording ends; of the last
   * VM, if there are several.
   */
  readonly statistics: Readonly<KvmStats>;
  /** Every difference at those levels, in order, at most {@linkcode MAX_MISMATCHES}. */
  readonly mismatches: readonly Mismatch[];
}

/** How many differences are kept; all are counted. */
export const MAX_MISMATCHES: number = 100;

/** How many earlier events are kept with a difference. */
export const RECENT_EVENTS: number = 8;
