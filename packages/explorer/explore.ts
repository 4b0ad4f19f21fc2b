import type { ExplorationProgress, ExplorationReport } from "./report.ts";
import { propertiesOf } from "./run_of.ts";
import { Search } from "./_search.ts";
import type { WorldFactory } from "./world.ts";

/** Options of {@linkcode explore}. */
export interface ExploreOptions {
  /**
   * Explore only schedules with at most this many preemptions: switches away from an actor that could have gone on. All
   * schedules unless told.
   */
  readonly preemptions?: number;
  /** Most states to meet before giving up; {@linkcode DEFAULT_MAX_STATES} unless told. */
  readonly maxStates?: number;
  /** Called now and then. */
  readonly onProgress?: (progress: ExplorationProgress) => void;
}

/** States that an exploration meets before it gives up, unless told: some gigabytes of hashes would be needed for more. */
export const DEFAULT_MAX_STATES: number = 5_000_000;

/** Preemption bounds under which a short counterexample is looked for, once there is one at all. */
const SHALLOW_BOUNDS: readonly number[] = [0, 1, 2];

/**
 * Explores every interleaving of a world's actors, each step being atomic: depth first, beginning anew for each branch,
 * and going no further where the state has been met before. A state is the shared state together with what each actor
 * waits for and has observed; equal states have equal futures, so that pruning loses nothing (but see the hash:
 * 53 bits).
 *
 * When something is wrong, the search is made again with at most 0, 1 and 2 preemptions, for a schedule with few of them
 * tells more (iterative context bounding, Musuvathi and Qadeer, PLDI 2007). What is reported is the shortest that was met
 * under the smallest bound that has any.
 *
 * Exhaustive if the report says so: with no preemption bound and within the budget of states.
 *
 * @param factory Makes the world.
 * @param options Bounds.
 */
export function explore(factory: WorldFactory, options: ExploreOptions = {}): ExplorationReport {
  const maxStates = options.maxStates ?? DEFAULT_MAX_STATES;
  const properties = propertiesOf(factory());
  const total = { properties, runs: 0, steps: 0, states: 0, pruned: 0, depth: 0 };
  const searchWithin = (bound: number | undefined): Search => {
    const search = new Search(factory, bound, maxStates, options.onProgress);
    search.explore();
    total.runs += search.runs;
    total.steps += search.steps;
    total.pruned += search.pruned;
    total.states = Math.max(total.states, search.states);
    total.depth = Math.max(total.depth, search.depth);
    return search;
  };
  const whole = searchWithin(options.preemptions);
  if (whole.violation === undefined) {
    return {
      verdict: whole.exhausted ? "budget exhausted" : "sound",
      exhaustive: !whole.exhausted && options.preemptions === undefined,
      scheduler: schedulerName(options.preemptions),
      ...total,
    };
  }
  for (const bound of SHALLOW_BOUNDS) {
    if (bound >= whole.violation.preemptions) break;
    const { violation } = searchWithin(bound);
    if (violation === undefined) continue;
    return { verdict: "unsound", exhaustive: false, scheduler: schedulerName(bound), ...total, violation };
  }
  const scheduler = schedulerName(options.preemptions);
  return { verdict: "unsound", exhaustive: false, scheduler, ...total, violation: whole.violation };
}

function schedulerName(bound: number | undefined): string {
  return bound === undefined ? "depth first, every interleaving" : `depth first, at most ${bound} preemptions`;
}
