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
    "a request": ({ vcpu }) => vcpu.flushRequested = true,
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

Deno.test("hashMmu() does not look at counts of work", () => {
  const tiny = new TinyMmu();
  const before = hash(tiny);
  tiny.mmu.counters.counts.fill(7);
  tiny.mmu.stats.exits++;
  assertEquals(hash(tiny), before);
});
