import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Era, ERAS, mmioGeneration, wraps } from "./era.ts";
import { MemslotSet } from "./memslot_set.ts";
import { Memslots } from "./memslots.ts";

const EMPTY = new MemslotSet();

/** Updates of one publication (create, flags) until the wrap rule zaps, counted in the phase that the era names. */
function updatesUntilWrapZap({ memslots: rule, mmio }: Era, asId: number, limit = 2 ** 21): number | undefined {
  const memslots = new Memslots(asId, rule);
  for (let update = 1; update <= limit; update++) {
    // "published" is told the number that the set will have, the later phases the one that it has: the same.
    const { nextGeneration } = memslots;
    memslots.publish(EMPTY);
    memslots.complete();
    if (wraps(mmio!, mmioGeneration(mmio!, nextGeneration))) return update;
  }
  return undefined;
}

Deno.test("ERAS zap for the first time after the updates of facts sheet 4.8 and 4.11", () => {
  // 3.11 looks at the number at the commit alone: 149, or 150 if that is the next commit.
  assertEquals(updatesUntilWrapZap(ERAS.G1, 0), 149);
  assertEquals(updatesUntilWrapZap(ERAS.G1b, 0), 150);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G2, asId)), [75, 75]);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G3, asId)), [undefined, 37]);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G3s, asId)), [38, 37]);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G4, asId)), [262144, 262144]);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G7, asId)), [131072, 131072]);
  assertEquals([0, 1].map((asId) => updatesUntilWrapZap(ERAS.G8, asId)), [262144, 262144]);
});

Deno.test("ERAS.G1 zaps at 150 when 149 is the intermediate set of a delete", () => {
  const { mmio } = ERAS.G1;
  const zapsAt = (generation: number) => wraps(mmio!, mmioGeneration(mmio!, generation));
  assertEquals([147, 148, 149, 150, 151, 152].map(zapsAt), [false, false, true, true, false, false]);
});

Deno.test("mmioGeneration() gives the numbers of facts sheet 2.4, 4.3 and 4.11", () => {
  assertEquals([0, 1, 149, 150, 151].map((g) => mmioGeneration(ERAS.G1.mmio!, g)), [
    0x7ff69,
    0x7ff6a,
    0x7fffe,
    0x7ffff,
    0,
  ]);
  assertEquals([-150, -149, 0, 2, 0x12344].map((g) => mmioGeneration(ERAS.G2.mmio!, g)), [
    0xfff6a,
    0xfff6b,
    0,
    2,
    0x12344,
  ]);
  assertEquals([0, 2, 0x80002].map((g) => mmioGeneration(ERAS.G8.mmio!, g)), [0, 2, 2]);
});

Deno.test("mmioGeneration() stays inside the mask, and repeats after a whole cycle and not before", () => {
  const eras = fc.constantFrom(...Object.values(ERAS).filter(({ mmio }) => mmio !== null));
  fc.assert(fc.property(eras, fc.integer({ min: -150, max: 2 ** 29 }), fc.integer({ min: 1 }), ({ mmio }, from, by) => {
    const cycle = mmio!.mask + 1;
    const number = mmioGeneration(mmio!, from);
    assert(number >= 0 && number <= mmio!.mask);
    assertEquals(mmioGeneration(mmio!, from + cycle), number);
    assertEquals(mmioGeneration(mmio!, from + by % cycle) === number, by % cycle === 0);
  }));
});

Deno.test("ERAS has eras under their own names, and only G0 stores nothing", () => {
  for (const [name, era] of Object.entries(ERAS)) {
    assertEquals(era.name, name);
    assertEquals(era.mmio === null, name === "G0");
  }
});
