/**
 * A scheduler that samples: it decides who takes the next step, one run at a time. (The exhaustive search is no such
 * scheduler: see `explore.ts`.)
 */
export interface Scheduler {
  /** Which scheduler it is, with its numbers, in words. */
  readonly name: string;
  /** Begins run number `run`, counted from 0. */
  begin(run: number, actors: number): void;
  /**
   * Decides who goes next.
   *
   * @param enabled The actors that can go on, lowest first; never empty.
   * @param step How many steps the run has taken.
   * @returns One of `enabled`.
   */
  choose(enabled: readonly number[], step: number): number;
}
