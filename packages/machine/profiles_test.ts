import { none } from "@mmu-lab/invalidation";
import { lanesToBigInt } from "@mmu-lab/spte-encoding";
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
  assertEquals(PROFILES.linux_6_12_ept_tdp.flushSlot, "obsolete-all");
  assertEquals(PROFILES.linux_6_12_ept_tdp_slotzap.flushSlot, "slot-range");
});

Deno.test("withStrategy() changes the strategy and the name, and nothing else", () => {
  const { strategy, name, ...rest } = withStrategy(PROFILES.linux_3_11_ept, none, "none");
  assertEquals([strategy(PROFILES.linux_3_11_ept.era).name, name], ["none", "linux_3_11_ept+none"]);
  const { strategy: _, name: __, ...before } = PROFILES.linux_3_11_ept;
  assertEquals(rest, before);
});

/** A page without slot that the emulator always takes for MMIO. */
const APIC = 0xfee00000;

for (
  const [name, spte] of [
    // Facts sheet 2.5 and 4.11: the spte of gfn 0xfee00 before any update.
    ["linux_3_11_ept", 0xfff00000fee00b4en],
    ["linux_3_17_ept", 0xfff00000fee00daen],
    ["linux_4_4_ept", 0xfff00000fee00daen],
    ["linux_4_11_ept", 0xfff00000fee00daen],
    ["linux_5_13_ept", 0xfee00006n],
    ["linux_6_1_npt_tdp", 0x80000fee00007n],
    ["linux_6_12_npt_tdp_slotzap", 0x80000fee00007n],
  ] as const
) {
  Deno.test(`${name} makes the MMIO spte of the facts sheet`, () => {
    const vm = new Vm({ ...PROFILES[name], privateSlots: [] });
    vm.createVcpu();
    vm.access(0, "read", APIC, 4);
    const { pool } = vm.mmu;
    const found: bigint[] = [];
    for (let page = 0; page < pool.length; page++) {
      for (let index = 0; index < 512; index++) {
        const [lo, hi] = [pool.lo(page, index), pool.hi(page, index)];
        if (vm.mmu.layout.isMmio(lo, hi)) found.push(lanesToBigInt(lo, hi));
      }
    }
    assertEquals(found, [spte]);
  });
}

Deno.test("the rules of 5.1 store the upper half of the number wrongly, and walk at a wrap with lock breaks", () => {
  const { era, layout, strategy } = PROFILES.linux_5_1_ept;
  const { lo, hi } = layout().encode(0xfee00, 7, 0x400);
  assertEquals(layout().generationOf(lo, hi), 0);
  assertEquals(strategy(era).maxGeneration, 0x7ffff);
});
