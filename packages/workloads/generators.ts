import { FIRST_TOUCH, MANY_PAGES, MMIO_HIT, REFAULT } from "./_device_workloads.ts";
import { PROCESSES_WORKLOAD } from "./_guest_workloads.ts";
import { HOTPLUG, RANDOM, VGA_TOGGLE, WRAP } from "./_memslot_workloads.ts";
import type { Workload } from "./workload.ts";

/**
 * The generated workloads by name. The same options give the same scenario. All are for the flat guest, but for
 * `processes`, whose guest has page tables of its own.
 *
 * | Name | What it shows |
 * |---|---|
 * | `many-pages` | what a walk over all shadow pages costs when few of them hold MMIO sptes |
 * | `mmio-hit` | what a hit costs when nothing changes: the price of asking whether an MMIO spte is current |
 * | `refault` | what a number that an unrelated update bumps costs: every device page faults again |
 * | `first-touch` | what making an MMIO spte costs |
 * | `hotplug` | deletes, which zap everything whatever the strategy: strategies should differ little |
 * | `vga-toggle` | the same gfns as MMIO and as RAM by turns: a strategy that forgets too little is caught |
 * | `wrap` | the wrap of the generation in 3.11, which every VM meets early; later kernels do not wrap here |
 * | `processes` | what shadow paging costs a guest that changes its page tables, beside what strategies cost |
 * | `random` | no story: food for checks |
 *
 * In 3.10 only creates and moves walk, so the updates of the storms are creates; a delete zaps everything in every kernel
 * before 6.12 and would hide the difference.
 *
 * @example
 * ```ts
 * import { WORKLOADS } from "@mmu-lab/workloads";
 * import { assertEquals } from "@std/assert";
 *
 * const scenario = WORKLOADS["first-touch"].generate({ pages: 100, vcpus: 2, seed: 1 });
 * assertEquals(scenario.operations.length, 2 + 100); // two vCPUs are created
 * ```
 */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "many-pages": MANY_PAGES,
  "mmio-hit": MMIO_HIT,
  "refault": REFAULT,
  "first-touch": FIRST_TOUCH,
  "hotplug": HOTPLUG,
  "vga-toggle": VGA_TOGGLE,
  "wrap": WRAP,
  "processes": PROCESSES_WORKLOAD,
  "random": RANDOM,
};
