import type { Scheduler } from "./scheduler.ts";

/** Lets the actors take one step each by turns, those that can go on. */
export function roundRobinScheduler(): Scheduler {
  let last = -1;
  return {
    name: "round robin",
    begin(): void {
      last = -1;
    },
    choose(enabled: readonly number[]): number {
      last = enabled.find((actor) => actor > last) ?? enabled[0];
      return last;
    },
  };
}
