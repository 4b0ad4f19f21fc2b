import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { RetPf } from "../fault/ret_pf.ts";
import { FRAME, HVA, TinyMmu, type TinyOptions } from "../testdata/tiny_mmu.ts";
import { adjustToTransparentHugePage, directMap, hvaOf, isReadOnly, mapMemory, mappingLevel } from "./map.ts";
import type { Mapping } from "./set_leaf.ts";

const GIB = 0x40000000;
const READ_ONLY = 2;

function tinyWith(options: TinyOptions, region: Parameters<TinyMmu["slot"]>[0] = {}): TinyMmu {
  const tiny = new TinyMmu(options);
  tiny.slot({ size: 2 * GIB, ...region });
  return tiny;
}

function slotOf(tiny: TinyMmu) {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

function mappingOf(tiny: TinyMmu, gfn: number, level: number): Mapping {
  return { gfn, level, slot: slotOf(tiny), pfn: FRAME + gfn, writable: true };
}

Deno.test("hvaOf() and isReadOnly() say where a gfn lies, and whether it may be written", () => {
  const tiny = tinyWith({}, { gpa: 0x10000, flags: READ_ONLY });
  assertEquals(hvaOf(slotOf(tiny), 0x12), HVA + 0x2000);
  assertEquals(isReadOnly(slotOf(tiny)), true);
  assertEquals(isReadOnly(slotOf(tinyWith({}))), false);
});

Deno.test("mapMemory() lets a mapping lead to a slot's memory, and be written if that may", () => {
  for (const [flags, writable] of [[0, true], [READ_ONLY, false]] as const) {
    const tiny = tinyWith({}, { flags });
    const mapping: Mapping = { gfn: 0x12, level: 1, slot: undefined, pfn: 0, writable: false };
    mapMemory(tiny.mmu, mapping, slotOf(tiny));
    assertEquals(mapping, { gfn: 0x12, level: 1, slot: slotOf(tiny), pfn: FRAME + 0x12, writable });
  }
});

Deno.test("mappingLevel() is the largest that host page, processor and slot allow", () => {
  const level = (options: TinyOptions, gfn: number, region = {}) => {
    const tiny = tinyWith(options, region);
    return mappingLevel(tiny.mmu, slotOf(tiny), gfn);
  };
  assertEquals([level({}, 5), level({ hugetlb: 2 }, 5), level({ hugetlb: 3 }, 5)], [1, 2, 3]);
  assertEquals(level({ hugetlb: 3, maxPageLevel: 2 }, 5), 2);
  // The last GiB is not whole.
  assertEquals(level({ hugetlb: 3 }, GIB / 4096 + 5, { size: GIB + 0x400000 }), 2);
});

Deno.test("mappingLevel() is 1 where a shadowed table lies in the large page", () => {
  const tiny = tinyWith({ hugetlb: 2 });
  tiny.mmu.shadow.account(7, 0);
  assertEquals(mappingLevel(tiny.mmu, slotOf(tiny), 5), 1);
  assertEquals(mappingLevel(tiny.mmu, slotOf(tiny), 512), 2);
});

Deno.test("adjustToTransparentHugePage() makes a small mapping large, aligned, where the host has a huge page", () => {
  const adjusted = (options: TinyOptions, level = 1) => {
    const tiny = tinyWith(options);
    const mapping = mappingOf(tiny, 0x205, level);
    adjustToTransparentHugePage(tiny.mmu, tiny.vcpu, mapping);
    return [mapping.level, mapping.gfn, mapping.pfn - FRAME];
  };
  assertEquals(adjusted({ transparentHuge: true }), [2, 0x200, 0x200]);
  assertEquals(adjusted({}), [1, 0x205, 0x205]);
  assertEquals(adjusted({ transparentHuge: true, maxPageLevel: 1 }), [1, 0x205, 0x205]);
});

Deno.test("adjustToTransparentHugePage() warns of frames that lie askew to the huge page, and leaves them", () => {
  const tiny = tinyWith({ transparentHuge: true });
  const mapping = { ...mappingOf(tiny, 0x205, 1), pfn: FRAME + 3 };
  adjustToTransparentHugePage(tiny.mmu, tiny.vcpu, mapping);
  assertEquals(mapping.level, 1);
  assertEquals(tiny.mmu.warnings, ["gfn 0x205 and its huge page are not aligned to each other"]);
});

Deno.test("directMap() makes the tables that miss, and says what became of the fault", () => {
  const tiny = tinyWith({ accessedDirty: false });
  const used = tiny.mmu.pool.used;
  let result: number | undefined;
  tiny.locked(() => result = directMap(tiny.mmu, tiny.vcpu, 5, mappingOf(tiny, 5, 1), false));
  assertEquals(result, RetPf.FIXED);
  assertEquals(tiny.mapped(5), "1:5");
  assertEquals(tiny.mmu.pool.used - used, 3);
  tiny.locked(() => result = directMap(tiny.mmu, tiny.vcpu, 5, mappingOf(tiny, 5, 1), false));
  assertEquals(result, RetPf.SPURIOUS);
  tiny.locked(() => result = directMap(tiny.mmu, tiny.vcpu, 6, { ...mappingOf(tiny, 6, 1), slot: undefined }, false));
  assertEquals([result, tiny.mapped(6)], [RetPf.EMULATE, "mmio"]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("directMap() puts a table in the place of a large page, and a large page in that of a table", () => {
  const tiny = tinyWith({ accessedDirty: false });
  const map = (gfn: number, level: number) =>
    tiny.locked(() =>
      directMap(tiny.mmu, tiny.vcpu, gfn, mappingOf(tiny, gfn - gfn % 512 ** (level - 1), level), false)
    );
  map(5, 2);
  assertEquals([tiny.mapped(5), tiny.mapped(6)], ["2:0", "2:0"]);
  map(5, 1);
  assertEquals([tiny.mapped(5), tiny.mapped(6)], ["1:5", "none"]);
  map(5, 2);
  assertEquals(tiny.mapped(6), "2:0");
  assertEquals(tiny.mmu.stats.largepages, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});
