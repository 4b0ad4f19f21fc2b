import { PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import { STRATEGIES } from "@mmu-lab/invalidation";
import type { Contender } from "../contender.ts";

/** What KVM did until 3.10: after a slot was created or moved, walk all shadow pages under `mmu_lock`. */
export const fullWalk: Contender = {
  name: "fullWalk",
  createVm: (options) => new Vm(withStrategy(PROFILES.linux_3_17_ept, STRATEGIES.fullWalk.create, "fullWalk"), options),
};
