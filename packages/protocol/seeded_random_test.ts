import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { seededRandom } from "./seeded_random.ts";

/** The first numbers below 1000 for seed 2013. */
const GOLDEN = [468, 68, 44, 95, 192, 930, 705, 379];

Deno.test("seededRandom() gives the same numbers for the same seed, on every machine", () => {
  const random = seededRandom(2013);
  assertEquals(Array.from({ length: 8 }, () => random(1000)), GOLDEN);
  const other = seededRandom(2014);
  assertNotEquals(Array.from({ length: 8 }, () => other(1000)), GOLDEN);
});

Deno.test("seededRandom() stays below its bound, and reaches all numbers below a small one", () => {
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), (seed, below) => {
    const random = seededRandom(seed);
    const seen = new Set<number>();
    for (let i = 0; i < 60 * below; i++) {
      const number = random(below);
      assert(Number.isInteger(number) && number >= 0 && number < below);
      seen.add(number);
    }
    assertEquals(seen.size, below);
  }));
});
