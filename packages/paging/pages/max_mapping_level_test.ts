import { assertEquals } from "@std/assert";
import { maxMappingLevel } from "./max_mapping_level.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { HVA, type TinyOptions } from "../testdata/tiny_mmu.ts";

const GIB = 0x40000000;

/** The level of a gfn in a slot of 2 GiB. */
function level(
  options: TinyOptions,
  gfn = 5,
  region: { gpa?: number; userspaceAddr?: number } = {},
  largest = 3,
): number {
  const tiny = new TinyLegacy(options);
  tiny.slot({ size: 2 * GIB, ...region });
  return maxMappingLevel(tiny.mmu, tiny.mmu.memslots[0].active.byId(0)!, gfn, largest);
}

Deno.test("maxMappingLevel() is that of the host page, of the processor and of what is asked for, whichever is smallest", () => {
  assertEquals(level({}), 1);
  assertEquals([level({ transparentHuge: true }), level({ hugetlb: 2 }), level({ hugetlb: 3 })], [2, 2, 3]);
  assertEquals(level({ hugetlb: 3, maxPageLevel: 2 }), 2);
  assertEquals(level({ hugetlb: 3 }, 5, {}, 1), 1);
});

Deno.test("maxMappingLevel() is smaller where the slot ends within the large page, or lies askew in the host", () => {
  const begins = { gpa: 0x200000, userspaceAddr: HVA + 0x200000 };
  assertEquals([level({ hugetlb: 3 }, 0x205, begins), level({ hugetlb: 3 }, GIB / 4096, begins)], [2, 3]);
  assertEquals(level({ hugetlb: 3 }, 5, { userspaceAddr: HVA + 0x1000 }), 1);
});
