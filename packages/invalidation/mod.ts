/**
 * How KVM forgets MMIO sptes: the contract of a strategy (`strategy.ts`, one file), the strategies of Linux and beyond,
 * and a conformance suite for strategies of your own.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { generation } from "@mmu-lab/invalidation";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const strategy = generation(); // Linux 3.11
 * const view = { generation: 0, updateInProgress: false };
 * const stamp = strategy.stamp(view, 0xfee00);
 * assertEquals(stamp, 0x7ff69);
 * assert(strategy.isCurrent(stamp, view, 0xfee00));
 * assert(!strategy.isCurrent(stamp, { ...view, generation: 1 }, 0xfee00));
 * ```
 *
 * @module
 */
export * from "./strategy.ts";
export * from "./full_walk.ts";
export * from "./generation.ts";
export * from "./hybrid.ts";
export * from "./seed_v2.ts";
export * from "./none.ts";
export * from "./strategies.ts";
export * from "./narrow_era.ts";
export * from "./conformance.ts";
export * from "./conformance_cases.ts";
export * from "./conformance_world.ts";
export * from "./reference_world.ts";
