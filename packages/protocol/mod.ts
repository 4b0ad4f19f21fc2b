/**
 * What actors that interleave are made of. An operation of the kernel that can race with another is a
 * {@linkcode Protocol}: a generator that yields a {@linkcode Step} wherever another CPU could run. The same protocol
 * is driven straight through by {@linkcode run}, in every order by an explorer, and in virtual time by a simulator.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { Execution, point, type Protocol, run } from "@mmu-lab/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const LOOK = point("look at the counter");
 *
 * function* lookTwice(counter: { value: number }): Protocol<[number, number]> {
 *   yield LOOK;
 *   const first = counter.value;
 *   yield LOOK;
 *   return [first, counter.value];
 * }
 *
 * assertEquals(run(new Execution(), lookTwice({ value: 1 })), [1, 1]);
 * ```
 *
 * @module
 */
export * from "./step.ts";
export * from "./point.ts";
export * from "./touches.ts";
export * from "./work_counters.ts";
export * from "./state_hasher.ts";
export * from "./execution.ts";
export * from "./lock.ts";
export * from "./srcu.ts";
export * from "./run.ts";
export * from "./seeded_random.ts";
