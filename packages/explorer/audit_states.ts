import { type RandomBelow, seededRandom } from "@mmu-lab/protocol";
import { Run } from "./run_of.ts";
import { formatSchedule } from "./schedule.ts";
import type { WorldFactory } from "./world.ts";

/** Two schedules that lead to states which count as one, but do not behave as one. */
export interface StateMismatch {
  /** One way to the state. */
  readonly first: string;
  /** Another way to it. */
  readonly second: string;
  /** What came after both. */
  readonly continuation: string;
  /** How they differ then. */
  readonly difference: string;
}

/** What an audit found. */
export interface StateAudit {
  /** Pairs of ways to one state that were compared. */
  readonly pairs: number;
  /** The first pair that behaves differently, if any does. */
  readonly mismatch?: StateMismatch;
}

/**
 * Checks what pruning rests on: that states with the same hash have the same future. Random runs are made; where one comes
 * to a state by another way than an earlier one, both ways are continued with the same choices, and must agree in who can
 * go on, in every hash after, and in what goes wrong. A world that forgets to hash something, or an actor that forgets to
 * say what it has observed, shows here.
 *
 * @param factory Makes the world.
 * @param runs How many random runs to make.
 * @param seed Where the random numbers begin.
 */
export function auditStates(factory: WorldFactory, runs: number, seed: number): StateAudit {
  const random = seededRandom(seed);
  const ways = new Map<number, number[]>();
  let pairs = 0;
  for (let i = 0; i < runs; i++) {
    const run = new Run(factory);
    while (!run.done && run.violation === undefined) {
      run.advance(pick(run, random));
      const hash = run.stateHash(false);
      const other = ways.get(hash);
      if (other === undefined) {
        ways.set(hash, [...run.choices]);
        continue;
      }
      if (formatSchedule(other) === formatSchedule(run.choices)) continue;
      pairs++;
      const mismatch = compare(factory, other, run.choices, random);
      if (mismatch !== undefined) return { pairs, mismatch };
      break;
    }
  }
  return { pairs };
}

function compare(
  factory: WorldFactory,
  first: readonly number[],
  second: readonly number[],
  random: RandomBelow,
): StateMismatch | undefined {
  const [a, b] = [follow(factory, first), follow(factory, second)];
  for (;;) {
    const difference = differs(a, b);
    if (difference !== undefined) {
      const continuation = formatSchedule(a.choices.slice(first.length));
      return { first: formatSchedule(first), second: formatSchedule(second), continuation, difference };
    }
    if (a.done || a.violation !== undefined) return undefined;
    const actor = pick(a, random);
    a.advance(actor);
    b.advance(actor);
  }
}

function differs(a: Run, b: Run): string | undefined {
  if (a.enabled().join() !== b.enabled().join()) return `${a.enabled()} can go on, or ${b.enabled()}`;
  if (a.violation !== b.violation) {
    return `${a.violation ?? "nothing is wrong"}, or ${b.violation ?? "nothing is wrong"}`;
  }
  return a.stateHash(false) === b.stateHash(false) ? undefined : "the states have different hashes";
}

function follow(factory: WorldFactory, choices: readonly number[]): Run {
  const run = new Run(factory);
  for (const actor of choices) run.advance(actor);
  return run;
}

function pick(run: Run, random: RandomBelow): number {
  const enabled = run.enabled();
  return enabled[random(enabled.length)];
}
