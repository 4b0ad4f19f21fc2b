/**
 * Bugs and facts of the facts sheet, told on a whole machine.
 *
 * @module
 */
import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals } from "@std/assert";
import { FlatOracle } from "./oracle.ts";
import { PROFILES } from "./profiles.ts";
import { strategyProfile } from "./testdata/random_run.ts";
import { Vm } from "./vm.ts";

const RAM = { id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: 0x7f0000000000 };
/** A slot where a device used to be. */
const OVER_DEVICE = { id: 1, gpa: 0xd0000000, size: 0x4000, flags: 0, userspaceAddr: 0x7f1000000000 };
const X = 0xd0000000;

function machine(profile = PROFILES.linux_3_11_ept): Vm {
  const vm = new Vm(profile);
  vm.createVcpu();
  vm.createVcpu();
  assertEquals(vm.memslot(RAM), 0);
  return vm;
}

Deno.test("B01: under 3.11 RAM that was MMIO stays MMIO for the vCPU that touched it last, and writes are lost", () => {
  const vm = machine();
  // 1. V0 touches X, which has no slot: the slow path fills its MMIO cache and writes an MMIO spte.
  assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
  assertEquals(vm.vcpus[0].mmu.cache.gfn, X / 4096);
  // 2. User space creates a slot over X. The generation moves; nothing is zapped.
  assertEquals(vm.memslot(OVER_DEVICE), 0);
  // 3. V0 touches X again. The cache answers before anybody asks for the generation.
  const checked = vm.mmu.counters.counts[Work.mmioRefaults];
  assertEquals(vm.access(0, "write", X, 4, 0x1234n).kind, "mmio");
  assertEquals(vm.mmu.counters.counts[Work.mmioRefaults], checked);
  assertEquals(vm.access(0, "write", X, 4, 0x5678n).kind, "mmio");
  // V1 has another cache, meets the stale spte, and reads memory: what V0 wrote is lost.
  assertEquals(vm.access(1, "read", X, 4).kind, "ram");
  assertEquals(vm.vcpus[1].outcome.value, 0n);
});

Deno.test("B01 ends when another page takes the place in the vCPU's MMIO cache", () => {
  const vm = machine();
  vm.access(0, "read", X, 4);
  vm.memslot(OVER_DEVICE);
  assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
  assertEquals(vm.access(0, "read", 0xe0000000, 4).kind, "mmio");
  assertEquals(vm.access(0, "read", X, 4).kind, "ram");
});

Deno.test("B01 is gone with the MMIO cache of 3.17", () => {
  const vm = machine(PROFILES.linux_3_17_ept);
  assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
  vm.memslot(OVER_DEVICE);
  assertEquals(vm.access(0, "write", X, 4, 0x1234n).kind, "ram");
  assertEquals(vm.access(1, "read", X, 4).value, 0x1234n);
});

Deno.test("the first wrap zap of 3.11 comes with memslot generation 149, and the next with 150", () => {
  const vm = machine();
  const { counts } = vm.mmu.counters;
  const zapsAt: number[] = [];
  // The private slot and slot 0 were the first two updates.
  assertEquals(vm.memslots[0].generation, 2);
  assertEquals(counts[Work.memslotUpdates], 2);
  for (let update = 3; update <= 200; update++) {
    vm.access(0, "read", X, 4);
    const before = counts[Work.wrapZaps];
    assertEquals(vm.memslot({ ...RAM, flags: update % 2 }), 0);
    assertEquals(vm.memslots[0].generation, update);
    if (counts[Work.wrapZaps] > before) zapsAt.push(update);
  }
  assertEquals(zapsAt, [149, 150]);
});

Deno.test("the first wrap zap of 3.17 comes with the 75th update", () => {
  const vm = machine(PROFILES.linux_3_17_ept);
  const { counts } = vm.mmu.counters;
  for (let update = 3; counts[Work.wrapZaps] === 0; update++) vm.memslot({ ...RAM, flags: update % 2 });
  assertEquals(counts[Work.memslotUpdates], 75);
  assertEquals(vm.memslots[0].generation, 0);
});

Deno.test("MMIO accesses around the first wrap are right", () => {
  for (const strategy of ["generation", "hybrid", "seedV2"]) {
    const vm = machine(strategyProfile(PROFILES.linux_3_11_ept, strategy));
    const oracle = new FlatOracle(() => 0);
    oracle.change(RAM);
    for (let update = 3; update < 170; update++) {
      const flags = update % 2;
      vm.memslot({ ...RAM, flags });
      oracle.change({ ...RAM, flags });
      // Two pages, so that the MMIO cache of 3.11 is of no use to either.
      for (const gpa of [X, 0xe0000000, 0x5000]) {
        const { kind } = vm.access(0, "read", gpa, 4);
        assertEquals(kind === "mmio", oracle.frame(gpa / 4096) === "mmio", `${strategy}, update ${update}`);
        assertEquals(vm.access(0, "read", gpa, 4).kind, kind);
      }
    }
    assert(vm.memslots[0].generation > 151);
  }
});

Deno.test("a stale MMIO spte is handled as a plain read, and then the write faults again", () => {
  const vm = machine(PROFILES.linux_3_17_ept);
  vm.access(0, "read", X, 4);
  vm.memslot({ ...OVER_DEVICE, flags: 2 });
  // The write finds the stale spte (misconfiguration, INVALID), which maps the page read-only; the write then faults.
  const exits = vm.mmu.stats.exits;
  const { mmioWrites } = vm.access(0, "write", X, 4, 1n);
  assertEquals(mmioWrites, 1);
  assertEquals(vm.mmu.stats.exits - exits, 2);
  assertEquals(vm.access(0, "read", X, 4).kind, "ram");
});

Deno.test("hits of an EPT misconfiguration do not count as mmio_exits in 3.11", () => {
  const vm = machine();
  vm.access(0, "read", X, 4);
  assertEquals(vm.mmu.stats.mmio_exits, 1);
  const hits = vm.mmu.counters.counts[Work.mmioCacheHits];
  vm.access(0, "read", X, 4);
  // Only the handler of a misconfiguration looks there before the tables.
  assertEquals(vm.mmu.counters.counts[Work.mmioCacheHits] - hits, 1);
  assertEquals(vm.mmu.stats.mmio_exits, 1);
});
