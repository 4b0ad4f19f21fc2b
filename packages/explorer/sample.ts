import type { ExplorationReport } from "./report.ts";
import { propertiesOf, Run } from "./run_of.ts";
import { countPreemptions, formatSchedule } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";
import type { WorldFactory } from "./world.ts";

/** Most steps that a sampled run takes before it counts as making no progress. */
export const MAX_SAMPLED_STEPS: number = 100_000;

/**
 * Tries schedules that a scheduler chooses, until one breaks a property or all have been tried. Says nothing about
 * schedules that it did not try: its report is never exhaustive.
 *
 * @param factory Makes the world.
 * @param scheduler Who goes next.
 * @param runs How many runs to try.
 */
export function sample(factory: WorldFactory, scheduler: Scheduler, runs: number): ExplorationReport {
  const states = new Set<number>();
  const properties = propertiesOf(factory());
  const total = { properties, runs: 0, steps: 0, states: 0, pruned: 0, depth: 0 };
  for (let i = 0; i < runs; i++) {
    const run = new Run(factory);
    scheduler.begin(i, run.world.actors.length);
    while (!run.done && run.violation === undefined) {
      const step = run.choices.length;
      run.advance(scheduler.choose(run.enabled(), step));
      states.add(run.stateHash(true));
      if (step === MAX_SAMPLED_STEPS) run.violation = `progress: still running after ${step} steps`;
    }
    total.runs++;
    total.steps += run.choices.length;
    total.states = states.size;
    total.depth = Math.max(total.depth, run.choices.length);
    if (run.violation !== undefined) {
      const violation = {
        message: run.violation,
        schedule: formatSchedule(run.choices),
        steps: run.choices.length,
        preemptions: countPreemptions(factory, run.choices),
      };
      return { verdict: "unsound", exhaustive: false, scheduler: scheduler.name, ...total, violation };
    }
  }
  return { verdict: "budget exhausted", exhaustive: false, scheduler: scheduler.name, ...total };
}
