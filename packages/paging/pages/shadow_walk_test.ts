import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { NO_PAGE } from "./page_pool.ts";
import { entryIndex, walkShadow } from "./shadow_walk.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

Deno.test("entryIndex() takes nine bits of the gfn for each level", () => {
  fc.assert(fc.property(fc.nat(2 ** 30), fc.nat(2 ** 10 - 1), fc.integer({ min: 1, max: 5 }), (low, high, level) => {
    const gfn = high * 2 ** 30 + low;
    assertEquals(entryIndex(gfn, level), Number((BigInt(gfn) >> BigInt(9 * (level - 1))) & 511n));
  }));
});

Deno.test("walkShadow() stops at the first entry that links no table", () => {
  const tiny = new TinyMmu();
  tiny.fault(0x5);
  const levelOf = (gfn: number) => tiny.entry(gfn).level;
  assertEquals([0x5, 0x6, 0x200, 0x40000, 0x8000000].map(levelOf), [1, 1, 2, 3, 4]);
});

Deno.test("walkShadow() stops at the level that it is told", () => {
  const tiny = new TinyMmu();
  tiny.fault(0x5);
  walkShadow(tiny.mmu, tiny.vcpu, 0x5, 2);
  assertEquals(tiny.vcpu.walk.level, 2);
});

Deno.test("walkShadow() stops at a large page", () => {
  const tiny = new TinyMmu({ hugetlb: 2 });
  tiny.slot({ size: 0x400000 });
  tiny.fault(0x5);
  assertEquals(tiny.entry(0x1ff).level, 2);
});

Deno.test("walkShadow() reads nothing without a root", () => {
  const tiny = new TinyMmu();
  tiny.vcpu.root = NO_PAGE;
  assertEquals(tiny.entry(0x5), { page: NO_PAGE, index: tiny.vcpu.walk.index, level: 0, lo: 0, hi: 0 });
});
