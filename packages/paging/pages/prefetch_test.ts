import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { HVA, TinyMmu } from "../testdata/tiny_mmu.ts";

/** How the eight entries from a gfn on are mapped: a letter each. */
function eight(tiny: TinyMmu, gfn = 0): string {
  return Array.from({ length: 8 }, (_, i) => {
    const mapped = tiny.mapped(gfn + i);
    return mapped === "mmio" ? "M" : mapped === "none" ? "." : mapped === `1:${gfn + i}` ? "R" : "?";
  }).join("");
}

Deno.test("prefetch() fills the run before the fault, and never the run at the end of the eight", () => {
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

Deno.test("prefetch() fills nothing before the first of the eight", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(8);
  assertEquals([eight(tiny), eight(tiny, 8)], ["........", "R......."]);
});

Deno.test("prefetch() does not look beyond the eight for the end of a run", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(8);
  tiny.fault(3);
  assertEquals([eight(tiny), eight(tiny, 8)], ["RRRR....", "R......."]);
});

Deno.test("prefetch() fills several runs that end at present entries", () => {
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

Deno.test("prefetch() does nothing without accessed bits", () => {
  const tiny = new TinyMmu({ accessedDirty: false });
  tiny.slot();
  tiny.fault(3);
  assertEquals(eight(tiny), "...R....");
});

Deno.test("prefetch() overwrites an MMIO spte, and does not without accessed and dirty bits", () => {
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

Deno.test("prefetch() goes around an MMIO fault too", () => {
  const tiny = new TinyMmu();
  tiny.slot({ size: 0x5000 });
  tiny.fault(5);
  assertEquals(eight(tiny), "RRRRRM..");
});

Deno.test("prefetch() gives up on a run that does not lie in one slot", () => {
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

Deno.test("prefetch() does nothing from a slot that logs dirty pages or is read-only", () => {
  for (const flags of [1, 2]) {
    const tiny = new TinyMmu();
    tiny.slot({ flags });
    tiny.fault(3);
    assertEquals(eight(tiny), "...R....");
  }
});

Deno.test("prefetch() leaves the accessed bit of prefetched pages clear", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(3);
  assertEquals([2, 3].map((gfn) => tiny.entry(gfn).lo & 0x100), [0, 0x100]);
});

Deno.test("prefetch() of 6.1 fills the run at the end of the eight too, if all of it lies in the slot", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  tiny.handle(11);
  assertEquals([eight(tiny), eight(tiny, 8), auditBooks(tiny.mmu)], ["........", "RRRRRRRR", []]);
  const short = new TinyLegacy();
  short.slot({ size: 0x7000 });
  short.handle(3);
  assertEquals(eight(short), "RRRR....");
});
