import { DeadlockError, point, type Step } from "@mmu-lab/protocol";
import { EventQueue } from "./_event_queue.ts";
import { TimedRun } from "./_timed_run.ts";
import { Waits } from "./_waits.ts";
import { CostMeter, type CostModel } from "./cost_model.ts";
import { Delay } from "./delay.ts";
import type { Histogram } from "./histogram.ts";
import type { SimulationReport } from "./report.ts";
import type { TimedWorld } from "./world.ts";

/** How a world is simulated. */
export interface SimulationOptions {
  /** What work costs. */
  readonly costs: CostModel;
  /** Virtual time after which the simulation stops, whoever still acts; never unless told. Cycles. */
  readonly until?: number;
  /** Called now and then, with the virtual time in cycles. */
  readonly onProgress?: (cycles: number) => void;
}

/** Most steps without any time going by; then the simulation gives up, for it would never end. */
export const MAX_STEPS_AT_ONE_TIME: number = 1_000_000;

/** Steps between two calls of {@linkcode SimulationOptions.onProgress}. */
const PROGRESS_STEPS = 1 << 14;

const BEGIN: Step = point("begin");

/**
 * Runs a world in virtual time. Each actor has a clock; the one whose clock is earliest goes next, among equals the one
 * with the lowest number. It takes its step and runs to the next; both happen at that time, and then its clock moves on
 * by what the work that it did costs. An actor whose step is not enabled waits in line at that step, and goes on at the
 * time of the event that lets it: a lock goes to whoever has waited for it longest. {@linkcode delay} lets time go by.
 *
 * No clock, no randomness, integers only: the report is the same everywhere, to the bit. O(log actors) a step.
 *
 * @param world Who acts. It is used up.
 * @param options What work costs, and when to stop.
 * @returns How long everything took.
 * @throws {RangeError} If a cost is not a non-negative integer.
 * @throws {DeadlockError} If everybody waits.
 * @throws {Error} If {@linkcode MAX_STEPS_AT_ONE_TIME} steps take no time; and whatever an actor throws.
 *
 * @example Two who want the same lock
 * ```ts
 * import { Execution, Lock, type Protocol, Work } from "@mmu-lab/protocol";
 * import { COST_PRESETS, costsOf, simulate } from "@mmu-lab/simulator";
 * import { assertEquals } from "@std/assert";
 *
 * const execution = new Execution();
 * const lock = new Lock("mmu_lock", execution);
 *
 * function* walk(): Protocol<void> {
 *   yield lock.acquire;
 *   execution.counters.counts[Work.pagesVisited] += 10;
 *   yield lock.release;
 * }
 *
 * const actors = [{ name: "A", start: walk }, { name: "B", start: walk }];
 * const costs = { ...costsOf(COST_PRESETS["nehalem-2011"]), lockAcquisitions: 100, pagesVisited: 50 };
 * const { cycles, locks } = simulate({ execution, actors, locks: [lock] }, { costs });
 * assertEquals(cycles, 1200);
 * assertEquals([locks[0].longestHold, locks[0].longestWait], [600, 600]);
 * ```
 */
export function simulate(world: TimedWorld, options: SimulationOptions): SimulationReport {
  return new Simulation(world, options).run();
}

class Simulation {
  readonly #world: TimedWorld;
  readonly #options: SimulationOptions;
  readonly #clocks: Float64Array;
  readonly #runs: TimedRun[];
  readonly #queue: EventQueue;
  readonly #waits: Waits;
  /** Who waits at each step, in order of arrival. */
  readonly #lines: Map<Step, number[]> = new Map();
  #waiting = 0;
  #foreground = 0;
  #steps = 0;

  constructor(world: TimedWorld, options: SimulationOptions) {
    const meter = new CostMeter(world.execution.counters, options.costs);
    const charged = { cycles: meter.total() };
    this.#world = world;
    this.#options = options;
    this.#clocks = new Float64Array(world.actors.length);
    this.#runs = world.actors.map((actor, index) => new TimedRun(actor, index, this.#clocks, meter, charged));
    this.#queue = new EventQueue(this.#clocks);
    this.#waits = new Waits(world.locks);
    for (const [actor, run] of this.#runs.entries()) {
      if (!run.isBackground) this.#foreground++;
      run.pending = BEGIN;
      this.#queue.push(actor);
    }
  }

  run(): SimulationReport {
    const { until = Infinity, onProgress } = this.#options;
    let now = 0;
    let stepsAtOneTime = 0;
    while (this.#foreground > 0) {
      if (this.#queue.size === 0) this.#deadlock();
      const actor = this.#queue.pop();
      const time = this.#clocks[actor];
      if (time > until) return this.#report(until);
      stepsAtOneTime = time === now ? stepsAtOneTime + 1 : 0;
      if (stepsAtOneTime > MAX_STEPS_AT_ONE_TIME) this.#livelock(actor);
      now = time;
      if (this.#advance(actor, time) && ++this.#steps % PROGRESS_STEPS === 0) onProgress?.(now);
    }
    return this.#report();
  }

  /** Lets an actor take its step and run to the next, or puts it in line; says whether it went on. */
  #advance(actor: number, now: number): boolean {
    const run = this.#runs[actor];
    const step = run.pending!;
    const { execution } = this.#world;
    execution.actor = actor;
    if (!run.taken) {
      run.arrived = now;
      if (!step.enabled(actor)) {
        this.#lineUp(actor, step);
        return false;
      }
      step.take(actor);
      this.#waits.taken(step, now, 0, false);
    }
    run.resume();
    run.charge();
    if (run.pending === undefined) {
      if (!run.isBackground) this.#foreground--;
    } else {
      if (run.pending instanceof Delay) run.delay(run.pending.cycles);
      this.#queue.push(actor);
    }
    if (this.#waiting > 0) this.#wake(now);
    return true;
  }

  #lineUp(actor: number, step: Step): void {
    const line = this.#lines.get(step);
    if (line === undefined) this.#lines.set(step, [actor]);
    else line.push(actor);
    this.#waiting++;
  }

  /** Lets those go on whose wait is over: at each step the first in line, until nobody is let on. */
  #wake(now: number): void {
    for (let woken = true; woken;) {
      woken = false;
      for (const [step, line] of this.#lines) {
        if (line.length === 0 || !step.enabled(line[0])) continue;
        const actor = line.shift()!;
        this.#waiting--;
        this.#letOn(actor, step, now);
        woken = true;
      }
    }
  }

  /** Takes the step for somebody who waited at it; the code that follows runs when its turn comes, at the same time. */
  #letOn(actor: number, step: Step, now: number): void {
    const run = this.#runs[actor];
    this.#world.execution.actor = actor;
    run.waitUntil(now);
    step.take(actor);
    run.taken = true;
    this.#waits.taken(step, now, now - run.arrived, true);
    run.charge();
    this.#queue.push(actor);
  }

  #report(stoppedAt?: number): SimulationReport {
    const operations: Record<string, Histogram> = {};
    for (const run of this.#runs) run.mergeInto(operations);
    let end = 0;
    for (const [actor, run] of this.#runs.entries()) {
      if (!run.isBackground) end = Math.max(end, this.#clocks[actor]);
    }
    return {
      completed: stoppedAt === undefined,
      cycles: stoppedAt ?? end,
      steps: this.#steps,
      operations,
      actors: this.#runs.map((run) => run.report()),
      locks: this.#waits.locks(),
      waits: this.#waits.others(),
    };
  }

  #deadlock(): never {
    const actor = this.#runs.findIndex((run) => !run.isBackground && run.pending !== undefined);
    throw new DeadlockError(actor, this.#runs[actor].pending!.name);
  }

  #livelock(actor: number): never {
    const { name } = this.#world.actors[actor];
    throw new Error(
      `Cannot go on: ${MAX_STEPS_AT_ONE_TIME} steps took no time, the last by '${name}'; give its work a cost or a delay`,
    );
  }
}
