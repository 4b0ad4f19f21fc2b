import { assert, assertEquals } from "@std/assert";
import { MmioCache, type MmioCacheRule } from "./mmio_cache.ts";

const LINUX_3_11: MmioCacheRule = { generation: "none", skipWhileInFlux: false };
const LINUX_3_17: MmioCacheRule = { generation: "full", skipWhileInFlux: false };
const LINUX_5_1: MmioCacheRule = { generation: "full", skipWhileInFlux: true };
const GPA = 0xfee00123;
const GFN = 0xfee00;

function view(generation: number, updateInProgress = false) {
  return { generation, updateInProgress };
}

Deno.test("MmioCache matches the page that it was filled with, by gpa", () => {
  for (const rule of [LINUX_3_11, LINUX_3_17, LINUX_5_1]) {
    const cache = new MmioCache(rule);
    assert(!cache.matchesGpa(GPA, view(2)));
    cache.fill(0, GFN, 7, view(2));
    assert(cache.matchesGpa(GPA, view(2)));
    assert(cache.matchesGpa(GFN * 4096 + 4095, view(2)));
    assert(!cache.matchesGpa(GPA + 4096, view(2)));
    assert(!cache.matchesGva(GPA, view(2)));
  }
});

Deno.test("MmioCache matches by gva with the address cut to its page", () => {
  const cache = new MmioCache(LINUX_3_11);
  cache.fill(0x7fffffffe123, GFN, 6, view(0));
  assertEquals([cache.gva, cache.gfn, cache.access], [0x7fffffffe000, GFN, 6]);
  assert(cache.matchesGva(0x7fffffffefff, view(0)));
  assert(!cache.matchesGva(0x7ffffffff000, view(0)));
});

Deno.test("MmioCache never matches gfn 0 or the page at gva 0: zero means empty", () => {
  const cache = new MmioCache(LINUX_3_11);
  cache.fill(0x123, 0, 7, view(0));
  assert(!cache.matchesGpa(0x123, view(0)));
  assert(!cache.matchesGva(0x123, view(0)));
});

Deno.test("MmioCache of 3.11 goes on matching after a memslot update (B01), that of 3.17 does not", () => {
  const outcomes = [LINUX_3_11, LINUX_3_17, LINUX_5_1].map((rule) => {
    const cache = new MmioCache(rule);
    cache.fill(0, GFN, 7, view(2));
    return cache.matchesGpa(GPA, view(4));
  });
  assertEquals(outcomes, [true, false, false]);
});

Deno.test("MmioCache compares the full generation, so a wrap of 19 bits is no match", () => {
  const cache = new MmioCache(LINUX_3_17);
  cache.fill(0, GFN, 7, view(2));
  assert(!cache.matchesGpa(GPA, view(2 + 0x100000)));
});

Deno.test("MmioCache is filled while memslots are in flux until 5.0 (B03), and not from 5.1 on", () => {
  const outcomes = [LINUX_3_17, LINUX_5_1].map((rule) => {
    const cache = new MmioCache(rule);
    cache.fill(0, GFN, 7, view(3, true));
    return cache.matchesGpa(GPA, view(3, true));
  });
  assertEquals(outcomes, [true, false]);
});

Deno.test("MmioCache does not match while the memslots are marked as in flux by a flag beside the number", () => {
  const cache = new MmioCache({ generation: "full", skipWhileInFlux: true });
  cache.fill(0, 0xd0000, 7, { generation: 4, updateInProgress: false });
  assertEquals(cache.matchesGpa(0xd0000000, { generation: 4, updateInProgress: true }), false);
  assertEquals(cache.matchesGpa(0xd0000000, { generation: 4, updateInProgress: false }), true);
});
