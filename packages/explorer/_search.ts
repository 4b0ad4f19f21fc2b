import type { ExplorationProgress, Violation } from "./report.ts";
import { Run } from "./run_of.ts";
import { formatSchedule } from "./schedule.ts";
import { livelockOf, StateGraph } from "./_livelock.ts";
import { placesOf, type Sleep, sleepAfter, wakened } from "./_sleep.ts";
import type { WorldFactory } from "./world.ts";

/** States between two calls of `onProgress`. */
const PROGRESS_EVERY = 4096;

/** A state on the way to where the search is, with the choices not yet tried there. */
interface Frame {
  /** What the state is known by. */
  readonly key: number;
  /** Actors still to be tried, last first. */
  readonly untried: number[];
  /** Whose step was tried before, here or earlier, and what it touches. */
  readonly sleep: Sleep;
  /** Steps taken to get here. */
  readonly depth: number;
  /** Preemptions on the way here. */
  readonly preemptions: number;
}

/** One depth-first search: with all schedules, or those within a bound of preemptions. */
export class Search {
  runs = 0;
  steps = 0;
  pruned = 0;
  depth = 0;
  exhausted = false;
  violation: Violation | undefined;
  /** States met, each with the places of the actors that slept there. */
  readonly #seen: Map<number, number> = new Map();
  /** States and the steps between them, where somebody goes on for ever. */
  readonly #graph: StateGraph | undefined;
  #run: Run;

  constructor(
    readonly factory: WorldFactory,
    readonly bound: number | undefined,
    readonly maxStates: number,
    readonly onProgress: ((progress: ExplorationProgress) => void) | undefined,
  ) {
    this.#run = new Run(factory);
    const { actors } = this.#run.world;
    // Under a bound nobody could go round for ever.
    if (bound === undefined && actors.some(({ endless }) => endless)) this.#graph = new StateGraph();
  }

  get states(): number {
    return this.#seen.size;
  }

  explore(): void {
    this.runs++;
    this.#graph?.add(this.#key(0), this.#run.enabled());
    const stack: Frame[] = [this.#frame(this.#key(0), 0, new Map(), this.#run.enabled())];
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
      // A bound takes schedules away, perhaps the very one for which a step may sleep.
      const { touched } = this.#run;
      const sleep = this.bound === undefined ? sleepAfter(frame.sleep, actor, touched) : new Map();
      frame.sleep.set(actor, touched);
      if (this.#run.violation !== undefined) {
        this.#report(this.#run.violation, preemptions);
        if (this.bound === undefined) return;
        continue;
      }
      if (this.violation !== undefined && this.#run.choices.length + 1 >= this.violation.steps) continue;
      if (this.#run.done) continue;
      const key = this.#key(preemptions);
      this.#graph?.add(key, this.#run.enabled(), [frame.key, actor]);
      const awake = this.#visit(key, sleep);
      if (awake === undefined) {
        this.pruned++;
        continue;
      }
      if (this.#seen.size >= this.maxStates) {
        this.exhausted = true;
        return;
      }
      if (awake.length > 0) stack.push(this.#frame(key, preemptions, sleep, awake));
    }
    if (this.violation === undefined) this.#lookForCircles();
  }

  /** Whether actors may go round for ever; asked once all that they can do is known. */
  #lookForCircles(): void {
    const circle = this.#graph?.fairCircle();
    if (circle === undefined) return;
    this.#run = new Run(this.factory);
    this.runs++;
    let preemptions = 0;
    for (const actor of [...circle.way, ...circle.round]) {
      preemptions += this.#preempts(actor);
      this.#run.advance(actor);
    }
    this.#report(livelockOf(circle.round), preemptions);
  }

  #frame(key: number, preemptions: number, sleep: Sleep, awake: readonly number[]): Frame {
    const last = this.#run.choices.at(-1);
    const untried = this.bound !== undefined && preemptions === this.bound && last !== undefined && awake.includes(last)
      ? [last]
      : awake.filter((actor) => actor !== last).reverse();
    // The actor that ran last is tried first: the way goes on without beginning anew.
    if (last !== undefined && awake.includes(last) && !untried.includes(last)) untried.push(last);
    return { key, untried, sleep, depth: this.#run.choices.length, preemptions };
  }

  #preempts(actor: number): 0 | 1 {
    const last = this.#run.choices.at(-1);
    return last !== undefined && last !== actor && this.#run.isEnabled(last) ? 1 : 0;
  }

  /** What the state is known by. Under a bound it matters who ran last, so interchangeable actors are then told apart. */
  #key(preemptions: number): number {
    if (this.bound === undefined) return this.#run.stateHash(true);
    const last = this.#run.choices.at(-1) ?? -1;
    return (this.#run.stateHash(false) * 31 + preemptions * 32 + last + 1) % 2 ** 53;
  }

  /**
   * Remembers the state.
   *
   * @returns Who is to be tried from here; `undefined` if the state was met before and nothing is left to try.
   */
  #visit(key: number, sleep: Sleep): number[] | undefined {
    const places = this.#run.places();
    const before = this.#seen.get(key);
    if (before === undefined) {
      this.#seen.set(key, placesOf(sleep, places));
      if (this.#seen.size % PROGRESS_EVERY === 0) this.onProgress?.({ runs: this.runs, states: this.#seen.size });
      return this.#run.enabled().filter((actor) => !sleep.has(actor));
    }
    if (before === 0) return undefined;
    const awake = wakened(sleep, before, places);
    if (awake.length === 0) return undefined;
    this.#seen.set(key, placesOf(sleep, places));
    return awake;
  }

  #rerun(depth: number): void {
    const choices = this.#run.choices.slice(0, depth);
    this.#run = new Run(this.factory);
    this.runs++;
    for (const actor of choices) this.#run.advance(actor);
    this.steps += depth;
  }

  #report(message: string, preemptions: number): void {
    const { choices } = this.#run;
    if (this.violation !== undefined && this.violation.steps <= choices.length) return;
    this.violation = { message, schedule: formatSchedule(choices), steps: choices.length, preemptions };
  }
}
