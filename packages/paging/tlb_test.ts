import { assertEquals } from "@std/assert";
import { Tlb } from "./tlb.ts";

Deno.test("Tlb.lookup() finds what was filled, until a flush", () => {
  const tlb = new Tlb();
  assertEquals(tlb.lookup(0, false), -1);
  tlb.fill(0, 42, true);
  tlb.fill(0x123456789, 43, true);
  assertEquals([tlb.lookup(0, false), tlb.lookup(0, true), tlb.lookup(0x123456789, true)], [42, 42, 43]);
  tlb.flush();
  assertEquals([tlb.lookup(0, false), tlb.lookup(0x123456789, false)], [-1, -1]);
});

Deno.test("Tlb.lookup() does not serve a write from an entry that a read left", () => {
  const tlb = new Tlb();
  tlb.fill(5, 42, false);
  assertEquals([tlb.lookup(5, false), tlb.lookup(5, true)], [42, -1]);
});

Deno.test("Tlb.fill() puts pages that lie 512 apart in one place", () => {
  const tlb = new Tlb();
  tlb.fill(5, 42, true);
  tlb.fill(5 + 512, 43, true);
  assertEquals([tlb.lookup(5, false), tlb.lookup(5 + 512, false)], [-1, 43]);
});
