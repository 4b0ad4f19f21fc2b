import { conflict, type RandomBelow, seededRandom } from "@mmu-lab/protocol";
import { pick, runAlong } from "./audit_states.ts";
import { Run } from "./run_of.ts";
import { formatSchedule } from "./schedule.ts";
import type { WorldFactory } from "./world.ts";

/** Two steps that were said not to conflict, and whose order matters all the same. */
export interface TouchMismatch {
  /** The way to the state in which both could be taken. */
  readonly schedule: string;
  /** The two actors. */
  readonly actors: readonly [number, number];
  /** How the two orders differ. */
  readonly difference: string;
}

/** What an audit found. */
export interface TouchAudit {
  /** Pairs of steps that were said not to conflict, and were taken in both orders. */
  readonly pairs: number;
  /** The first pair whose order matters, if any does. */
  readonly mismatch?: TouchMismatch;
}

/**
 * Checks what sleeping rests on: that two steps which are said not to conflict (`Execution.touched`) come to the same in
 * both orders. Random runs are made; in each state, every two actors that can go on are let go on in both orders, and if
 * their steps do not conflict, the states after must be equal, and so must be what the later step touches. Code that
 * touches something and does not say so shows here.
 *
 * @param factory Makes the world.
 * @param runs How many random runs to make.
 * @param seed Where the random numbers begin.
 */
export function auditTouches(factory: WorldFactory, runs: number, seed: number): TouchAudit {
  const random = seededRandom(seed);
  let pairs = 0;
  for (let i = 0; i < runs; i++) {
    const run = new Run(factory);
    while (!run.done && run.violation === undefined) {
      const found = auditState(factory, run, random);
      if (found !== undefined) {
        pairs += found.pairs;
        if (found.mismatch !== undefined) return { pairs, mismatch: found.mismatch };
      }
      run.advance(pick(run, random));
    }
  }
  return { pairs };
}

/** Takes two of the actors that can go on in both orders. */
function auditState(factory: WorldFactory, run: Run, random: RandomBelow): TouchAudit | undefined {
  const enabled = run.enabled();
  if (enabled.length < 2) return undefined;
  const a = enabled.splice(random(enabled.length), 1)[0];
  const b = enabled[random(enabled.length)];
  const [ab, ba] = [runAlong(factory, run.choices), runAlong(factory, run.choices)];
  ab.advance(a);
  ba.advance(b);
  const [first, second] = [ab.touched, ba.touched];
  if (conflict(first, second)) return undefined;
  const mismatch = (difference: string): TouchAudit => ({
    pairs: 1,
    mismatch: { schedule: formatSchedule(run.choices), actors: [a, b], difference },
  });
  if (ab.violation !== undefined || ba.violation !== undefined) return undefined;
  if (!ab.isEnabled(b)) return mismatch(`${a} keeps ${b} from going on`);
  if (!ba.isEnabled(a)) return mismatch(`${b} keeps ${a} from going on`);
  ab.advance(b);
  ba.advance(a);
  if (ab.touched !== second || ba.touched !== first) return mismatch("the later step touches something else");
  if (ab.violation !== ba.violation) {
    return mismatch(`${ab.violation ?? "nothing is wrong"}, or ${ba.violation ?? "nothing is wrong"}`);
  }
  if (ab.stateHash(false) !== ba.stateHash(false)) return mismatch("the states have different hashes");
  return { pairs: 1 };
}
