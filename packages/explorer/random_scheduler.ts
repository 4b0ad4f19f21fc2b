import { seededRandom } from "@mmu-lab/protocol";
import type { Scheduler } from "./scheduler.ts";

/**
 * Lets any actor that can go on take the next step, each with the same chance.
 *
 * @param seed Where the random numbers begin: the same seed gives the same schedules everywhere.
 */
export function randomScheduler(seed: number): Scheduler {
  let random = seededRandom(seed);
  return {
    name: `random, seed ${seed}`,
    begin(run: number): void {
      random = seededRandom(seed + run * 0x9e3779b1);
    },
    choose: (enabled: readonly number[]): number => enabled[random(enabled.length)],
  };
}
