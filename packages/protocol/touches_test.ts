import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { conflict, reads, TOUCHES_EVERYTHING, TOUCHES_NOTHING, writes } from "./touches.ts";

Deno.test("conflict(): one writes what the other reads or writes", () => {
  assertEquals(conflict(reads(3), reads(3)), false);
  assertEquals(conflict(reads(3), writes(3)), true);
  assertEquals(conflict(writes(3), reads(3)), true);
  assertEquals(conflict(writes(3), writes(3)), true);
  assertEquals(conflict(writes(3), writes(4)), false);
  assertEquals(conflict(writes(14), reads(14)), true);
});

Deno.test("conflict() is what sets of reads and writes say, for all masks", () => {
  const mask = fc.integer({ min: 0, max: 0x7fff });
  fc.assert(fc.property(mask, mask, mask, mask, (r1, w1, r2, w2) => {
    const expected = (w1 & (r2 | w2)) !== 0 || (w2 & r1) !== 0;
    assertEquals(conflict(r1 | w1 << 16, r2 | w2 << 16), expected);
  }));
});

Deno.test("everything conflicts with all but nothing", () => {
  for (let resource = 0; resource < 15; resource++) {
    assertEquals(conflict(TOUCHES_EVERYTHING, reads(resource)), true);
    assertEquals(conflict(writes(resource), TOUCHES_EVERYTHING), true);
  }
  assertEquals(conflict(TOUCHES_EVERYTHING, TOUCHES_EVERYTHING), true);
  assertEquals(conflict(TOUCHES_EVERYTHING, TOUCHES_NOTHING), false);
});
