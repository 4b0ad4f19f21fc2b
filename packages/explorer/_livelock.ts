import type { Run } from "./run_of.ts";

/** A state on the way of a run, for {@linkcode findLivelock}. */
export interface Visited {
  /** Hash of the state. */
  readonly key: number;
  /** Who could go on there. */
  readonly enabled: readonly number[];
}

/**
 * Tells whether a run that has come back to a state goes round for ever: in the circle an actor takes steps that should end,
 * and whoever can go on anywhere in it does (strong fairness: the kernel's spin locks are queued, nobody starves at one).
 * A vCPU that tries again and again while an update could go on, and does not, is no livelock.
 *
 * @param run The run, in the state that it has come back to. @param circle The states since it was there first.
 */
export function findLivelock(run: Run, circle: readonly Visited[]): string | undefined {
  const { actors, interchangeable = [] } = run.world;
  // Where actors may have changed places, a state that looks the same may be no circle.
  if (interchangeable.length > 0) return undefined;
  const going = new Set(run.choices.slice(run.choices.length - circle.length));
  if (circle.some(({ enabled }) => enabled.some((actor) => !going.has(actor)))) return undefined;
  const unending = [...going].find((actor) => !actors[actor].endless);
  if (unending === undefined) return undefined;
  return `livelock: ${actors[unending].name} goes round for ever, in a circle of ${circle.length} steps`;
}
