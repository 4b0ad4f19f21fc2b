import { assertEquals } from "@std/assert";
import { auditBooks } from "./books.ts";
import { HVA, TinyMmu } from "./testdata/tiny_mmu.ts";

/** How the eight entries from a gfn on are mapped: a letter each. */
function eight(tiny: TinyMmu, gfn = 0): string {
  return Array.from({ length: 8 }, (_, i) => {
    const mapped = tiny.mapped(gfn + i);
    return mapped === "mmio" ? "M" : mapped === "none" ? "." : mapped === `1:${gfn + i}` ? "R" : "?";
  }).join("");
}

Deno.test("directMap() prefetches the run before the fault, and never the run at the end of the eight", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(3);
  assertEquals(eight(tiny), "RRRR....");
  assertEquals(eight(tiny, 8), "........");
  tiny.fault(6);
  assertEquals(eight(tiny), "RRRRRRR.");
  tiny.fault(7);
  assertEquals(eight(tiny), "RRRRRRRR");
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("directMap() prefetches nothing before the first of the eight", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(8);
  assertEquals([eight(tiny), eight(tiny, 8)], ["........", "R......."]);
});

Deno.test("directMap() does not look beyond the eight for the end of a run", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(8);
  tiny.fault(3);
  assertEquals([eight(tiny), eight(tiny, 8)], ["RRRR....", "R......."]);
});

Deno.test("directMap() fills several runs that end at present entries", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(2);
  const { page, index } = tiny.entry(0);
  tiny.locked(() => {
    for (const at of [0, 1]) tiny.mmu.setSpte(page, index + at, 0, 0);
  });
  assertEquals(eight(tiny), "..R.....");
  tiny.fault(5);
  assertEquals(eight(tiny), "RRRRRR..");
});

Deno.test("directMap() does not prefetch without accessed bits", () => {
  const tiny = new TinyMmu({ accessedDirty: false });
  tiny.slot();
  tiny.fault(3);
  assertEquals(eight(tiny), "...R....");
});

Deno.test("directMap() overwrites an MMIO spte by prefetch, and does not without accessed and dirty bits", () => {
  for (const accessedDirty of [true, false]) {
    const tiny = new TinyMmu({ accessedDirty });
    tiny.fault(1);
    tiny.slot();
    tiny.fault(3);
    assertEquals(eight(tiny), accessedDirty ? "RRRR...." : ".M.R....");
    assertEquals(tiny.mmu.pagesWithMmio, accessedDirty ? 0 : 1);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("directMap() prefetches around an MMIO fault too", () => {
  const tiny = new TinyMmu();
  tiny.slot({ size: 0x5000 });
  tiny.fault(5);
  assertEquals(eight(tiny), "RRRRRM..");
});

Deno.test("directMap() gives up on a run that does not lie in one slot", () => {
  const tiny = new TinyMmu();
  tiny.slot({ gpa: 0x2000, size: 0x6000, userspaceAddr: HVA + 0x2000 });
  tiny.fault(5);
  // The run of entries 0 to 4 begins where there is no slot: nothing of it is mapped.
  assertEquals(eight(tiny), ".....R..");

  const two = new TinyMmu();
  two.slot({ size: 0x3000 });
  two.slot({ id: 1, gpa: 0x3000, size: 0x5000, userspaceAddr: HVA + 0x3000 });
  two.fault(5);
  assertEquals(eight(two), ".....R..");
});

Deno.test("directMap() does not prefetch from a slot that logs dirty pages or is read-only", () => {
  for (const flags of [1, 2]) {
    const tiny = new TinyMmu();
    tiny.slot({ flags });
    tiny.fault(3);
    assertEquals(eight(tiny), "...R....");
  }
});

Deno.test("directMap() leaves the accessed bit of prefetched pages clear", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(3);
  assertEquals([2, 3].map((gfn) => tiny.entry(gfn).lo & 0x100), [0, 0x100]);
});

Deno.test("directMap() counts an MMIO spte with bit 7 set as a large page, as 3.11 does", () => {
  const tiny = new TinyMmu();
  const counted: number[] = [];
  for (let gfn = 0x1000; gfn < 0x1000 + 40; gfn++) {
    const before = tiny.mmu.stats.largepages;
    tiny.fault(gfn);
    const { lo } = tiny.entry(gfn);
    counted.push(tiny.mmu.stats.largepages - before - ((lo & 0x80) !== 0 ? 1 : 0));
    tiny.bump();
  }
  assertEquals(counted.filter((difference) => difference !== 0), []);
  assertEquals(tiny.mmu.stats.largepages > 0, true);
});
