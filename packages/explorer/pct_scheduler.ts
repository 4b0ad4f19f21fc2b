import { seededRandom } from "@mmu-lab/protocol";
import type { Scheduler } from "./scheduler.ts";

/** Options of {@linkcode pctScheduler}. */
export interface PctOptions {
  /** Where the random numbers begin. */
  readonly seed: number;
  /** Depth of the bugs looked for: how many orders between steps a bug needs; 3 unless told. */
  readonly depth?: number;
  /** About how many steps a run takes; 100 unless told. */
  readonly steps?: number;
}

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): actors have random
 * priorities, the highest that can go on does, and at `depth - 1` random steps the one that runs drops below all others.
 * A bug of that depth is found by one run with a chance of at least 1 / (actors * steps^(depth - 1)).
 *
 * @param options Seed and bounds.
 */
export function pctScheduler(options: PctOptions): Scheduler {
  const { seed, depth = 3, steps = 100 } = options;
  let priorities: number[] = [];
  let changes: number[] = [];
  return {
    name: `PCT, depth ${depth}, seed ${seed}`,
    begin(run: number, actors: number): void {
      const random = seededRandom(seed + run * 0x9e3779b1);
      priorities = Array.from({ length: actors }, () => depth + random(2 ** 20));
      changes = Array.from({ length: depth - 1 }, () => random(steps));
    },
    choose(enabled: readonly number[], step: number): number {
      const highest = () => enabled.reduce((best, actor) => priorities[actor] > priorities[best] ? actor : best);
      const change = changes.indexOf(step);
      if (change >= 0) priorities[highest()] = change;
      return highest();
    },
  };
}
