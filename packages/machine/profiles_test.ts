import { none } from "@mmu-lab/invalidation";
import { assert, assertEquals } from "@std/assert";
import { withStrategy } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

Deno.test("PROFILES has kernels under their own names, each of which makes a VM that works", () => {
  for (const [name, profile] of Object.entries(PROFILES)) {
    assertEquals(profile.name, name);
    assert(profile.summary.length > 0);
    const vm = new Vm(profile);
    vm.createVcpu();
    vm.memslot({ id: 0, gpa: 0, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 });
    assertEquals(vm.access(0, "read", 0x1000, 4).kind, "ram");
    assertEquals(vm.access(0, "read", 0x10000, 4).kind, "mmio");
  }
});

Deno.test("PROFILES differ in what the kernels differ in", () => {
  const strategyOf = (name: string) => PROFILES[name].strategy(PROFILES[name].era).name;
  assertEquals(["linux_3_10_ept", "linux_3_11_ept", "linux_3_17_ept", "seed_v2"].map(strategyOf), [
    "fullWalk",
    "generation",
    "generation",
    "seedV2",
  ]);
  assertEquals(PROFILES.linux_3_11_ept.cacheRule.generation, "none");
  assertEquals(PROFILES.linux_3_17_ept.cacheRule.generation, "full");
  assertEquals(PROFILES.linux_3_10_ept.flushSlot, "walk-all");
});

Deno.test("withStrategy() changes the strategy and the name, and nothing else", () => {
  const { strategy, name, ...rest } = withStrategy(PROFILES.linux_3_11_ept, none, "none");
  assertEquals([strategy(PROFILES.linux_3_11_ept.era).name, name], ["none", "linux_3_11_ept+none"]);
  const { strategy: _, name: __, ...before } = PROFILES.linux_3_11_ept;
  assertEquals(rest, before);
});
