import { formatLanes } from "@mmu-lab/spte-encoding";
import { LockNotHeldError } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkMmioSpte, markMmioSpte } from "./mmio_spte.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

Deno.test("markMmioSpte() writes the values of facts sheet 2.5 at the generation of the moment", () => {
  const golden = [
    [0xfee00, 0, "0xfff00000fee00b4e"],
    [0xfee00, 1, "0xfff00000fee00b56"],
    [0xb8, 150, "0xfff00000000b8ffe"],
    [0xd0000, 151, "0xc0000000d0000006"],
  ] as const;
  const tiny = new TinyMmu();
  for (const [gfn, generation, spte] of golden) {
    while (tiny.mmu.memslots[0].generation < generation) tiny.bump();
    tiny.fault(gfn);
    const { lo, hi } = tiny.entry(gfn);
    assertEquals(formatLanes(lo, hi), spte);
  }
});

Deno.test("markMmioSpte() throws without mmu_lock", () => {
  const tiny = new TinyMmu();
  assertThrows(() => markMmioSpte(tiny.mmu, tiny.vcpu, 0, 0, 0xfee00, 7), LockNotHeldError, "write an MMIO spte");
});

Deno.test("checkMmioSpte() is equality with the current generation", () => {
  const tiny = new TinyMmu();
  tiny.fault(0xfee00);
  const { lo, hi } = tiny.entry(0xfee00);
  assert(checkMmioSpte(tiny.mmu, tiny.vcpu, lo, hi));
  tiny.bump();
  assert(!checkMmioSpte(tiny.mmu, tiny.vcpu, lo, hi));
});
