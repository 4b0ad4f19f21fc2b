import { ERAS, wraps } from "@mmu-lab/memslots";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { narrowEra } from "./narrow_era.ts";

Deno.test("narrowEra() keeps the distance of the wrap value from the top", () => {
  const g1 = narrowEra(ERAS.G1, 4).mmio!;
  assertEquals([13, 14, 15].map((number) => wraps(g1, number)), [false, true, true]);
  const g1b = narrowEra(ERAS.G1b, 4).mmio!;
  assertEquals([13, 14, 15].map((number) => wraps(g1b, number)), [false, false, true]);
  const g3s = narrowEra(ERAS.G3s, 4).mmio!;
  assertEquals([0, 3, 4, 12].map((number) => wraps(g3s, number)), [true, true, false, false]);
});

Deno.test("narrowEra() changes nothing but the number of bits", () => {
  const era = narrowEra(ERAS.G2, 5);
  assertEquals(era.name, "G2");
  assert(era.kernels.endsWith("cut to 5 bits"));
  assertEquals(era.memslots, ERAS.G2.memslots);
  assertEquals(era.mmio, { ...ERAS.G2.mmio!, mask: 31 });
});

Deno.test("narrowEra() throws where there is no generation, and on a silly number of bits", () => {
  assertThrows(() => narrowEra(ERAS.G0, 4), RangeError, "MMIO sptes store no generation");
  assertThrows(() => narrowEra(ERAS.G1, 2), RangeError, "expected an integer from 3 to 30");
  assertThrows(() => narrowEra(ERAS.G1, 4.5), RangeError, "expected an integer from 3 to 30");
});
