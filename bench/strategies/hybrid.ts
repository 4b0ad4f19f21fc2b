import { PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import { STRATEGIES } from "@mmu-lab/invalidation";
import type { Contender } from "../contender.ts";

/** Generation with a bounded background sweep, so that nothing is zapped when the number goes round. */
export const hybrid: Contender = {
  name: "hybrid",
  createVm: (options) => new Vm(withStrategy(PROFILES.linux_3_17_ept, STRATEGIES.hybrid.create, "hybrid"), options),
};
