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
  const { linux_6_1_npt_tdp_187: tdp, linux_6_1_npt_legacy_187: legacy } = PROFILES;
  assertEquals([tdp.tdpMmu?.eagerPageSplit, legacy.tdpMmu, legacy.cacheRule], [true, undefined, tdp.cacheRule]);
  assertEquals(PROFILES.linux_6_1_ept_legacy_pml.pageRules?.dirtyLog, "dirty-bit");
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
    ["linux_3_13_ept", 0xfff00000fee00b4en],
    ["linux_4_10_ept", 0xfff00000fee00daen],
    ["linux_4_11_ept", 0xfff00000fee00daen],
    // Facts sheet 4.10: R is 39:35 of MAXPHYADDR 40; 43:39 by the cache; none on AMD.
    ["linux_4_19_ept", 0x7ff000f8fee00daen],
    ["linux_4_19_ept_0", 0x7ff000f8fee00daen],
    ["linux_4_19_ept_152", 0x7ff00f80fee00daen],
    ["linux_4_19_npt", 0x7ff800f8fee00dafn],
    ["linux_4_19_npt_152", 0x7ff80000fee00dafn],
    ["linux_3_17_npt", 0xffffff00fee00dafn],
    ["linux_4_11_npt", 0xffffff00fee00dafn],
    ["linux_5_1_ept", 0x400000f8fee00006n],
    ["linux_5_1_npt", 0x400800f8fee00007n],
    ["linux_5_11_ept", 0x300000fee00006n],
    ["linux_5_11_npt", 0x380000fee00007n],
    ["linux_5_13_ept", 0xfee00006n],
    ["linux_6_1_npt_tdp", 0x80000fee00007n],
    ["linux_6_1_npt_legacy", 0x80000fee00007n],
    ["linux_6_1_ept_legacy_nol1tf", 0xfee00006n],
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

Deno.test("kernels of Intel make the identity map in every address space, and delete what is there", () => {
  const generations = (name: string) => {
    const vm = new Vm(PROFILES[name]);
    const start = vm.memslots.map(({ generation }) => generation);
    vm.createVcpu();
    const created = vm.memslots.map(({ generation }) => generation);
    vm.destroy();
    return vm.memslots.map(({ generation }, i) => [created[i] - start[i], generation - created[i]]);
  };
  assertEquals(generations("linux_3_13_ept"), [[1, 2]]);
  assertEquals(generations("linux_4_10_ept"), [[2, 4], [2, 4]]);
  assertEquals(generations("linux_4_19_ept"), [[0, 0], [0, 0]]); // unrestricted guest
});

Deno.test("a misconfiguration counts as an MMIO exit from 4.19 on, where it passes the page-fault handler", () => {
  const exits = (name: string) => {
    const vm = new Vm(PROFILES[name]);
    vm.createVcpu();
    for (let i = 0; i < 3; i++) vm.access(0, "read", APIC, 4);
    return vm.mmu.stats.mmio_exits;
  };
  assertEquals(["linux_3_13_ept", "linux_4_10_ept", "linux_4_19_ept", "linux_6_1_ept_tdp"].map(exits), [1, 1, 3, 3]);
});

Deno.test("the first address space of 4.19 as released never meets its wrap (B05); with the fixes of 2019 it zaps", () => {
  const zapped = (name: string) => {
    const vm = new Vm(PROFILES[name]);
    vm.createVcpu();
    vm.access(0, "read", APIC, 4);
    for (let i = 0; i < 80; i++) {
      vm.memslot({ id: 0, gpa: 0, size: 0x1000, flags: i % 2, userspaceAddr: 0x7f0000000000 });
    }
    return vm.mmu.stats.mmu_shadow_zapped > 0;
  };
  assertEquals(["linux_4_10_npt", "linux_4_19_npt_0", "linux_4_19_npt"].map(zapped), [true, false, true]);
});

Deno.test("the rules of 5.1 store the upper half of the number wrongly, and walk at a wrap with lock breaks", () => {
  const { era, layout, strategy } = PROFILES.linux_5_1_ept;
  const { lo, hi } = layout().encode(0xfee00, 7, 0x400);
  assertEquals(layout().generationOf(lo, hi), 0);
  assertEquals(strategy(era).maxGeneration, 0x7ffff);
});
