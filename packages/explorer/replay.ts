import { isFairCircle, livelockOf } from "./_livelock.ts";
import { Run } from "./run_of.ts";
import { parseSchedule } from "./schedule.ts";
import type { WorldFactory } from "./world.ts";

/** One step of a replayed schedule. */
export interface ReplayedStep {
  /** Who took it. */
  readonly actor: string;
  /** What it was. */
  readonly step: string;
  /** The shared state after it, as the world describes it; empty if it does not. */
  readonly state: string;
}

/** What a schedule did. */
export interface Replay {
  /** Its steps. */
  readonly steps: readonly ReplayedStep[];
  /** What went wrong, if anything. */
  readonly violation: string | undefined;
  /** Whether all actors were done at its end. */
  readonly done: boolean;
}

/**
 * Takes the steps of a schedule, no more, and tells them.
 *
 * @param factory Makes the world.
 * @param schedule What `formatSchedule` wrote.
 * @throws {SyntaxError} If it is no schedule.
 * @throws {RangeError} If an actor cannot take a step when the schedule says so: it belongs to another world.
 */
export function replay(factory: WorldFactory, schedule: string): Replay {
  const run = new Run(factory);
  const { world } = run;
  const steps: ReplayedStep[] = [];
  const keys = [run.stateHash(true)];
  const enabled = [run.enabled()];
  for (const actor of parseSchedule(schedule, world.actors.length)) {
    const { name } = world.actors[actor];
    run.advance(actor, (step) => steps.push({ actor: name, step, state: world.describe?.() ?? "" }));
    if (run.violation !== undefined) break;
    keys.push(run.stateHash(true));
    enabled.push(run.enabled());
  }
  // An endless world may come back to a state, in a circle that can go on for ever.
  const first = world.actors.some(({ endless }) => endless) ? keys.indexOf(keys.at(-1)!) : keys.length;
  const goesRound = run.violation === undefined && first < keys.length - 1 &&
    isFairCircle(run.choices.slice(first), enabled.slice(first));
  return { steps, violation: goesRound ? livelockOf(run.choices.slice(first)) : run.violation, done: run.done };
}
