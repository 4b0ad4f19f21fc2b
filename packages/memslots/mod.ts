/**
 * Memslots: which guest-physical memory exists, how that changes, and the generation number that tells one moment
 * from another.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { classifyChange, ERAS, Memslots, mmioGeneration } from "@mmu-lab/memslots";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const memslots = new Memslots(0, ERAS.G1.memslots);
 * const region = { id: 0, gpa: 0, size: 0x80000, flags: 0, userspaceAddr: 0x10000000 };
 * const change = classifyChange(memslots.active, region, { userSlots: 125, privateSlots: 3 });
 * assert(typeof change === "object" && change.new !== undefined);
 * assertEquals(change.kind, "create");
 * memslots.publish(memslots.active.with(change.new));
 * memslots.complete();
 * assertEquals(mmioGeneration(ERAS.G1.mmio!, memslots.generation), 0x7ff6a);
 * ```
 *
 * @module
 */
export * from "./memslot.ts";
export * from "./memslot_set.ts";
export * from "./generation_rule.ts";
export * from "./memslots.ts";
export * from "./era.ts";
export * from "./memory_region.ts";
