/**
 * Virtual time over protocols: {@linkcode simulate} drives the same operations that an explorer drives in every order,
 * and charges each step what the work it did costs. Locks queue, grace periods wait for readers, and the actors record
 * how long their operations take.
 *
 * Virtual time is computed from work counts and is the same on every machine, to the bit. It is good for shapes and
 * ratios: what grows with what, who waits for whom. **It does not predict nanoseconds**; see {@linkcode COST_PRESETS} for
 * how few of its numbers somebody measured. Runs in Deno, Node and browsers.
 *
 * @example How long an access takes while somebody walks under the lock
 * ```ts
 * import { Execution, Lock, type Protocol, Work } from "@mmu-lab/protocol";
 * import { type Clock, COST_PRESETS, costsOf, delay, simulate } from "@mmu-lab/simulator";
 * import { assertEquals } from "@std/assert";
 *
 * const execution = new Execution();
 * const { counts } = execution.counters;
 * const lock = new Lock("mmu_lock", execution);
 *
 * function* walk(): Protocol<void> {
 *   yield delay(5000);
 *   yield lock.acquire;
 *   counts[Work.pagesVisited] += 1000;
 *   yield lock.release;
 * }
 *
 * function* access(clock: Clock): Protocol<void> {
 *   for (let i = 0; i < 10; i++) {
 *     yield delay(1000);
 *     const begun = clock.now;
 *     yield lock.acquire;
 *     counts[Work.sptesVisited] += 4;
 *     yield lock.release;
 *     clock.record("access", clock.now - begun);
 *   }
 * }
 *
 * const actors = [{ name: "updater", start: walk }, { name: "vCPU 0", start: access }];
 * const costs = costsOf(COST_PRESETS["nehalem-2011"]);
 * const { operations } = simulate({ execution, actors, locks: [lock] }, { costs });
 * const { p50, max } = operations["access"].toJSON();
 * assertEquals(p50, 112); // the lock 100, four entries 3 each
 * assertEquals(max > 70 * 1000, true); // it waited for the walk
 * ```
 *
 * @module
 */
export * from "./world.ts";
export * from "./simulate.ts";
export * from "./report.ts";
export * from "./cost_model.ts";
export * from "./cost_presets.ts";
export * from "./delay.ts";
export * from "./histogram.ts";
