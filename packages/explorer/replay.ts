import { findLivelock, type Visited } from "./_livelock.ts";
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
  const visited: Visited[] = [look(run)];
  for (const actor of parseSchedule(schedule, world.actors.length)) {
    const { name } = world.actors[actor];
    run.advance(actor, (step) => steps.push({ actor: name, step, state: world.describe?.() ?? "" }));
    if (run.violation !== undefined) break;
    visited.push(look(run));
  }
  return { steps, violation: run.violation ?? livelockAtEnd(run, visited), done: run.done };
}

function look(run: Run): Visited {
  return { key: run.stateHash(true), enabled: run.enabled() };
}

/** Whether the schedule ends where it was before, in a circle that may go on for ever. */
function livelockAtEnd(run: Run, visited: readonly Visited[]): string | undefined {
  const last = visited.length - 1;
  const first = visited.findLastIndex(({ key }, i) => i < last && key === visited[last].key);
  return first < 0 || run.violation !== undefined ? undefined : findLivelock(run, visited.slice(first, last));
}
