import type { ExplorationProgress, ExplorationReport, Violation } from "./report.ts";
import { Run } from "./run_of.ts";
import { formatSchedule } from "./schedule.ts";
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

/** States between two calls of `onProgress`. */
const PROGRESS_EVERY = 4096;

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
  const total = { runs: 0, steps: 0, states: 0, pruned: 0, depth: 0 };
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

/** A state on the way to where the search is, with the choices not yet tried there. */
interface Frame {
  /** Actors still to be tried, last first. */
  readonly untried: number[];
  /** Steps taken to get here. */
  readonly depth: number;
  /** Preemptions on the way here. */
  readonly preemptions: number;
}

class Search {
  runs = 0;
  steps = 0;
  pruned = 0;
  depth = 0;
  exhausted = false;
  violation: Violation | undefined;
  readonly #seen: Set<number> = new Set();
  #run: Run;

  constructor(
    readonly factory: WorldFactory,
    readonly bound: number | undefined,
    readonly maxStates: number,
    readonly onProgress: ((progress: ExplorationProgress) => void) | undefined,
  ) {
    this.#run = new Run(factory);
  }

  get states(): number {
    return this.#seen.size;
  }

  explore(): void {
    this.runs++;
    const stack: Frame[] = [this.#frame(0)];
    while (stack.length > 0) {
      const frame = stack[stack.length - 1];
      const actor = frame.untried.pop();
      if (actor === undefined) {
        stack.pop();
        continue;
      }
      if (this.#run.choices.length !== frame.depth) this.#rerun(frame.depth);
      const preemptions = frame.preemptions + this.#preempts(actor);
      this.#run.advance(actor);
      this.steps++;
      this.depth = Math.max(this.depth, this.#run.choices.length);
      if (this.#run.violation !== undefined) {
        this.#report(this.#run.violation, preemptions);
        if (this.bound === undefined) return;
        continue;
      }
      if (this.violation !== undefined && this.#run.choices.length + 1 >= this.violation.steps) continue;
      if (this.#met(preemptions)) {
        this.pruned++;
        continue;
      }
      if (this.#seen.size >= this.maxStates) {
        this.exhausted = true;
        return;
      }
      if (!this.#run.done) stack.push(this.#frame(preemptions));
    }
  }

  #frame(preemptions: number): Frame {
    const enabled = this.#run.enabled();
    const last = this.#run.choices.at(-1);
    const untried = this.bound !== undefined && preemptions === this.bound && last !== undefined &&
        enabled.includes(last)
      ? [last]
      : enabled.filter((actor) => actor !== last).reverse();
    // The actor that ran last is tried first: the way goes on without beginning anew.
    if (last !== undefined && enabled.includes(last) && !untried.includes(last)) untried.push(last);
    return { untried, depth: this.#run.choices.length, preemptions };
  }

  #preempts(actor: number): 0 | 1 {
    const last = this.#run.choices.at(-1);
    return last !== undefined && last !== actor && this.#run.isEnabled(last) ? 1 : 0;
  }

  /** Whether this state has been met; remembers it. Under a bound, who ran last and what is left of it count too. */
  #met(preemptions: number): boolean {
    // Under a bound it matters who ran last, so interchangeable actors are then told apart.
    let key = this.#run.stateHash(this.bound === undefined);
    if (this.bound !== undefined) key = (key * 31 + preemptions * 32 + this.#run.choices.at(-1)! + 1) % 2 ** 53;
    const before = this.#seen.size;
    this.#seen.add(key);
    if (this.#seen.size % PROGRESS_EVERY === 0) this.onProgress?.({ runs: this.runs, states: this.#seen.size });
    return this.#seen.size === before;
  }

  #rerun(depth: number): void {
    const choices = this.#path(depth);
    this.#run = new Run(this.factory);
    this.runs++;
    for (const actor of choices) this.#run.advance(actor);
    this.steps += depth;
  }

  #path(depth: number): number[] {
    return this.#run.choices.slice(0, depth);
  }

  #report(message: string, preemptions: number): void {
    const { choices } = this.#run;
    if (this.violation !== undefined && this.violation.steps <= choices.length) return;
    this.violation = { message, schedule: formatSchedule(choices), steps: choices.length, preemptions };
  }
}
