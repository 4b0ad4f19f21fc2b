/**
 * Bugs and facts of the facts sheet, told on a whole machine.
 *
 * @module
 */
import { narrowEra, STRATEGIES } from "@mmu-lab/invalidation";
import { ERAS } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FlatOracle } from "./oracle.ts";
import { withStrategy } from "./profile.ts";
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

Deno.test("B20: in system management mode a cache that looks at the first address space hides memory, and a write is lost", () => {
  const own = { ...PROFILES.linux_5_13_ept.cacheRule, addressSpace: "own" } as const;
  for (
    const [profile, kind] of [[PROFILES.linux_5_13_ept, "mmio"], [
      { ...PROFILES.linux_5_13_ept, cacheRule: own },
      "ram",
    ]] as const
  ) {
    const vm = machine(profile);
    vm.setSmm(0, true);
    assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
    assertEquals(vm.memslot({ ...OVER_DEVICE, asId: 1 }), 0);
    assertEquals(vm.access(0, "write", X, 4, 1n).kind, kind);
    // The other address space has no slot there.
    vm.setSmm(0, false);
    assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
  }
});

Deno.test("a vCPU in system management mode has tables of its own, and dirty logging leaves those of others alone", () => {
  const vm = machine(PROFILES.linux_5_13_ept);
  assertEquals(vm.memslot({ ...RAM, asId: 1, userspaceAddr: 0x7f2000000000 }), 0);
  vm.access(0, "write", 0, 4, 1n);
  vm.setSmm(1, true);
  assertEquals(vm.access(1, "read", 0, 4).value, 0n);
  vm.access(1, "write", 0, 4, 2n);
  assertEquals(vm.access(0, "read", 0, 4).value, 1n);
  assertEquals(vm.memslot({ ...RAM, flags: 1, asId: 1, userspaceAddr: 0x7f2000000000 }), 0);
  const exits = vm.mmu.stats.exits;
  vm.access(0, "write", 0, 4, 3n);
  assertEquals(vm.mmu.stats.exits, exits);
  vm.access(1, "write", 0, 4, 3n);
  assertEquals(vm.dirtyLog(0, 1), [0]);
});

Deno.test("Vm.setSmm() refuses a kernel with one address space", () => {
  assertThrows(() => machine().setSmm(0, true), RangeError, "linux_3_11_ept has one address space");
});

Deno.test("hybrid sweeps the entries of an address space by the number of that space, not by another's", () => {
  // Both spaces use the same numbers until 4.10: one whose number stands still must not keep stale entries of the other.
  const profile = withStrategy(
    { ...PROFILES.linux_4_4_ept, era: narrowEra(ERAS.G2, 4), privateSlots: [] },
    STRATEGIES.hybrid.create,
    "hybrid",
  );
  const vm = machine(profile);
  // The second space gets the number that the first has now.
  vm.memslot({ ...OVER_DEVICE, id: 2, asId: 1 });
  assertEquals(vm.memslots[1].generation, vm.memslots[0].generation);
  assertEquals(vm.access(0, "read", X, 4).kind, "mmio");
  vm.memslot(OVER_DEVICE);
  // Round once: 16 numbers, 2 an update.
  for (let i = 1; i < 8; i++) vm.memslot({ ...RAM, flags: i % 2 });
  assertEquals(vm.access(1, "read", X, 4).kind, "ram");
});
