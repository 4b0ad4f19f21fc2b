import { conflict } from "@mmu-lab/protocol";

/**
 * A sleep set (Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996, chapter 5): actors
 * whose next step need not be tried in a state, for it was tried before a step that does not conflict with it. Each with
 * what its step touches.
 */
export type Sleep = Map<number, number>;

/**
 * Who sleeps after a step: those whose own step does not conflict with it.
 *
 * @param sleep Who slept before, and whose step was tried before this one.
 * @param actor Who took the step. @param touched What it touched.
 */
export function sleepAfter(sleep: Sleep, actor: number, touched: number): Sleep {
  const after: Sleep = new Map();
  for (const [other, itsTouch] of sleep) {
    if (other !== actor && !conflict(itsTouch, touched)) after.set(other, itsTouch);
  }
  return after;
}

/**
 * What is left to try in a state that is met again, and who sleeps there: those that slept when it was met before, and do
 * not now.
 *
 * @param sleep Who sleeps now; those who did not sleep before are taken out.
 * @param before Places of those who slept before, as bits. @param places Where each actor stands.
 * @returns Those to try.
 */
export function wakened(sleep: Sleep, before: number, places: readonly number[]): number[] {
  const awake: number[] = [];
  places.forEach((place, actor) => {
    const sleptBefore = (before & (1 << place)) !== 0;
    if (sleptBefore && !sleep.has(actor)) awake.push(actor);
    if (!sleptBefore) sleep.delete(actor);
  });
  return awake;
}

/** The places of those who sleep, as bits. */
export function placesOf(sleep: Sleep, places: readonly number[]): number {
  let bits = 0;
  for (const actor of sleep.keys()) bits |= 1 << places[actor];
  return bits;
}
