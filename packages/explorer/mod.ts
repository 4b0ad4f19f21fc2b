/**
 * Explores the interleavings of a few actors, each a protocol. **What is exhaustive:** {@linkcode explore} without a
 * preemption bound covers every order of the steps of a world, within its budget of states; a step's code is atomic, and
 * states are recognized by a hash of 53 bits. **What is sampled:** {@linkcode sample} with a random or PCT scheduler tries
 * the schedules it is asked to try, and says so.
 *
 * Every failure comes with a schedule string that {@linkcode replay} takes. Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { explore, replay, type WorldFactory } from "@mmu-lab/explorer";
 * import { Execution, point, type Protocol } from "@mmu-lab/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const WRITE = point("write the counter");
 *
 * // Two actors add one to a counter, each by a read and a write.
 * const lostUpdate: WorldFactory = () => {
 *   const execution = new Execution();
 *   let counter = 0;
 *   function* add(): Protocol<void> {
 *     const read = counter;
 *     execution.observe(read);
 *     yield WRITE;
 *     counter = read + 1;
 *   }
 *   return {
 *     execution,
 *     actors: [{ name: "A", start: add }, { name: "B", start: add }],
 *     locks: [],
 *     hashInto: (hasher) => void hasher.add(counter),
 *     violation: () => undefined,
 *     finalViolation: () => counter === 2 ? undefined : `an update was lost: the counter is ${counter}`,
 *   };
 * };
 *
 * const { verdict, violation } = explore(lostUpdate);
 * assertEquals(verdict, "unsound");
 * assertEquals(violation?.preemptions, 1);
 * assertEquals(replay(lostUpdate, violation!.schedule).violation, "an update was lost: the counter is 1");
 * ```
 *
 * @module
 */
export * from "./world.ts";
export * from "./explore.ts";
export * from "./sample.ts";
export * from "./replay.ts";
export * from "./audit_states.ts";
export * from "./audit_touches.ts";
export * from "./run_of.ts";
export * from "./report.ts";
export * from "./format_report.ts";
export * from "./schedule.ts";
export * from "./scheduler.ts";
export * from "./random_scheduler.ts";
export * from "./pct_scheduler.ts";
export * from "./round_robin_scheduler.ts";
