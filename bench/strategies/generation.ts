import { PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import { STRATEGIES } from "@mmu-lab/invalidation";
import type { Contender } from "../contender.ts";

/** The 2013 series: a number in each MMIO spte, bumped by each update; everything is zapped when it goes round. */
export const generation: Contender = {
  name: "generation",
  createVm: (options) =>
    new Vm(withStrategy(PROFILES.linux_3_17_ept, STRATEGIES.generation.create, "generation"), options),
};
