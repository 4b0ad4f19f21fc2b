import { StateHasher } from "@mmu-lab/protocol";
import { assertEquals, assertNotEquals } from "@std/assert";
import { hashMmu, hashVcpuMmu } from "./hash_mmu.ts";
import { TinyMmu } from "./testdata/tiny_mmu.ts";

function hash(tiny: TinyMmu): number {
  const hasher = new StateHasher();
  hashMmu(tiny.mmu, hasher);
  for (const vcpu of tiny.mmu.vcpus) hashVcpuMmu(tiny.mmu, vcpu, hasher);
  return hasher.value;
}

Deno.test("hashMmu() is the same for MMUs that came to the same state, and changes with each thing that counts", () => {
  const make = () => {
    const tiny = new TinyMmu();
    tiny.slot();
    tiny.fault(5);
    tiny.fault(0xfee00);
    return tiny;
  };
  const before = hash(make());
  assertEquals(hash(make()), before);
  const changes: Readonly<Record<string, (tiny: TinyMmu) => void>> = {
    "a fault": (tiny) => tiny.fault(0xfee01),
    "an spte": ({ mmu }) => mmu.pool.set(mmu.pool.newest, 7, 0, 1),
    "a request": ({ vcpu }) => vcpu.reloadRequested = true,
    "the TLB": ({ vcpu }) => vcpu.tlb.fill(1, 2, true),
    "the MMIO cache": ({ vcpu, mmu }) => vcpu.cache.fill(0, 0x77, 7, mmu.memslots[0]),
    "the valid generation": ({ mmu }) => mmu.validGen++,
    "the exit": ({ vcpu }) => vcpu.exit.gpa = 1,
  };
  for (const [what, change] of Object.entries(changes)) {
    const tiny = make();
    change(tiny);
    assertNotEquals(hash(tiny), before, what);
  }
});

Deno.test("hashVcpuMmu() takes a TLB that is about to be flushed, by request or for a new root, for an empty one", () => {
  const tiny = new TinyMmu();
  tiny.fault(0xfee00);
  const empty = hash(tiny);
  const { vcpu, mmu } = tiny;
  vcpu.tlb.fill(1, 2, true);
  const filled = hash(tiny);
  assertNotEquals(filled, empty);
  vcpu.flushRequested = true;
  assertEquals(hash(tiny), empty);
  vcpu.flushRequested = false;
  vcpu.reloadRequested = true;
  const reload = hash(tiny);
  vcpu.tlb.flush();
  assertEquals(hash(tiny), reload);
  assertEquals(mmu.pageRules.validGeneration, "counted");
});

Deno.test("hashVcpuMmu() forgets a remembered MMIO page once no address space has its generation any more", () => {
  const tiny = new TinyMmu({ cacheRule: { generation: "full", skipWhileInFlux: false } });
  tiny.fault(0xfee00);
  const { vcpu, mmu } = tiny;
  const spaces = mmu.memslots;
  const at = (generation: number, updateInProgress: boolean) => {
    const hasher = new StateHasher();
    hashVcpuMmu(mmu, vcpu, hasher, [{ generation, updateInProgress }]);
    return hasher.value;
  };
  vcpu.cache.fill(0, 0x77, 7, spaces[0]);
  const { generation } = spaces[0];
  const remembered = at(generation, false);
  assertEquals(at(generation - 1, false), remembered);
  const dead = at(generation, true);
  assertNotEquals(dead, remembered);
  assertEquals(at(generation + 1, false), dead);
  vcpu.cache.fill(0, 0x78, 7, spaces[0]);
  assertEquals(at(generation + 1, false), dead);
  assertNotEquals(at(generation, false), remembered);
});

Deno.test("hashMmu() does not look at counts of work", () => {
  const tiny = new TinyMmu();
  const before = hash(tiny);
  tiny.mmu.counters.counts.fill(7);
  tiny.mmu.stats.exits++;
  assertEquals(hash(tiny), before);
});
