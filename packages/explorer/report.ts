/** What an exploration found, as data. */
export interface ExplorationReport {
  /**
   * `sound`: nothing is wrong in anything explored. `unsound`: something is, see `violation`. `budget exhausted`:
   * nothing was wrong in what could be explored.
   */
  readonly verdict: "sound" | "unsound" | "budget exhausted";
  /** Whether every interleaving was covered, without any bound but those of the world itself. */
  readonly exhaustive: boolean;
  /** Which scheduler explored, with its bounds, in words. */
  readonly scheduler: string;
  /** What was looked for, in a few words each: the explorer's own properties and those of the world. */
  readonly properties: readonly string[];
  /** Runs that were begun. */
  readonly runs: number;
  /** Steps that were taken, those that repeat the way to a state included. */
  readonly steps: number;
  /** Distinct states met. */
  readonly states: number;
  /** Runs that ended early because their state had been met before. */
  readonly pruned: number;
  /** Most steps in one run. */
  readonly depth: number;
  /** What is wrong, with the schedule that shows it. */
  readonly violation?: Violation;
}

/** A schedule that breaks a property. */
export interface Violation {
  /** What is wrong. */
  readonly message: string;
  /** Who took each step: give it to `replay`. */
  readonly schedule: string;
  /** Number of steps. */
  readonly steps: number;
  /** How often the schedule takes the processor from an actor that could have gone on. */
  readonly preemptions: number;
}

/** Counts, as an exploration goes on; for progress. */
export interface ExplorationProgress {
  /** Runs begun so far. */
  readonly runs: number;
  /** Distinct states met so far. */
  readonly states: number;
}
