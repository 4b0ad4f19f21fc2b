/**
 * Small worlds for the explorer: a few vCPUs that access memory while memslots change, over the very code of the
 * machine, with the properties that KVM must keep.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example 3.11 as released goes on treating a page as MMIO after a slot has been created there (bug B01)
 * ```ts
 * import { CHECK_SCENARIOS, vmWorld } from "@mmu-lab/checker";
 * import { explore } from "@mmu-lab/explorer";
 * import { PROFILES } from "@mmu-lab/machine";
 * import { assertEquals } from "@std/assert";
 *
 * const world = () => vmWorld(PROFILES.linux_3_11_ept, CHECK_SCENARIOS["create-used"]);
 * assertEquals(explore(world).verdict, "unsound");
 * ```
 *
 * @module
 */
export * from "./check_scenario.ts";
export * from "./scenarios.ts";
export * from "./vm_world.ts";
export * from "./monitor.ts";
export * from "./describe_vm.ts";
export * from "./bugs/bug.ts";
export * from "./bugs/bugs.ts";
export * from "./bugs/find_bug.ts";
export * from "./bugs/find_bug_in.ts";
