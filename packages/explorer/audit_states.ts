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

/** One of so many states that are met again is compared: all would take long, and the first of a run lie near its begin. */
const COMPARED = 16;

/** What an audit found. */
export interface StateAudit {
  /** Pairs of ways to one state that were compared. */
  readonly pairs: number;
  /** The first pair that behaves differently, if any does. */
  readonly mismatch?: StateMismatch;
}

/**
 * Checks what pruning rests on: that states with the same hash have the same future. Random runs are made; where one comes
 * to a state by another way than an earlier one, now and then both ways are continued with the same choices, and must agree
 * in who can go on, in every hash after, and in what goes wrong; where interchangeable actors have changed places, with the
 * choices changed likewise. A world that forgets to hash something, or an actor that forgets to say what it has observed,
 * shows here.
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
    for (;;) {
      run.advance(pick(run, random));
      if (run.done || run.violation !== undefined) break;
      const hash = run.stateHash(true);
      const other = ways.get(hash);
      if (other === undefined) {
        ways.set(hash, [...run.choices]);
        continue;
      }
      if (random(COMPARED) !== 0 || formatSchedule(other) === formatSchedule(run.choices)) continue;
      pairs++;
      const mismatch = compare(factory, other, run.choices, random);
      if (mismatch !== undefined) return { pairs, mismatch };
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
  const [a, b] = [runAlong(factory, first), runAlong(factory, second)];
  for (;;) {
    const difference = differs(a, b);
    if (difference !== undefined) {
      const continuation = formatSchedule(a.choices.slice(first.length));
      return { first: formatSchedule(first), second: formatSchedule(second), continuation, difference };
    }
    if (a.done || a.violation !== undefined) return undefined;
    const actor = pick(a, random);
    b.advance(counterpart(a, actor, b));
    a.advance(actor);
  }
}

function differs(a: Run, b: Run): string | undefined {
  if (a.violation !== b.violation) {
    return `${a.violation ?? "nothing is wrong"}, or ${b.violation ?? "nothing is wrong"}`;
  }
  // What is looked at when all are done may change the world, by who is looked at first.
  if (a.done && b.done) return undefined;
  if (a.stateHash(true) !== b.stateHash(true)) return "the states have different hashes";
  for (const [x, y] of [[a, b], [b, a]]) {
    const actor = x.enabled().find((actor) => !y.isEnabled(counterpart(x, actor, y)));
    if (actor !== undefined) return `actor ${actor} can go on after only one of them`;
  }
  return undefined;
}

/** Who in another run stands where an actor stands in a run; both were hashed. */
function counterpart(run: Run, actor: number, other: Run): number {
  return other.places().indexOf(run.places()[actor]);
}

/** The run that takes these steps. */
export function runAlong(factory: WorldFactory, choices: readonly number[]): Run {
  const run = new Run(factory);
  for (const actor of choices) run.advance(actor);
  return run;
}

/** One of the actors that can go on. */
export function pick(run: Run, random: RandomBelow): number {
  const enabled = run.enabled();
  return enabled[random(enabled.length)];
}
