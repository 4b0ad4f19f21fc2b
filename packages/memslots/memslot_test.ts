import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { largePageAllowed, largePageLimits, markPageDirty, type Memslot, pagesPerEntry } from "./memslot.ts";

const HVA = 0x7f0000000000;

function slot(baseGfn: number, npages: number, userspaceAddr: number, logs = false): Memslot {
  return {
    asId: 0,
    id: 0,
    baseGfn,
    npages,
    flags: logs ? 1 : 0,
    userspaceAddr,
    invalid: false,
    dirtyBitmap: logs ? new Uint32Array(Math.ceil(npages / 32)) : null,
    largePageLimits: largePageLimits(baseGfn, npages, userspaceAddr),
  };
}

Deno.test("pagesPerEntry() grows by 512 a level", () => {
  assertEquals([1, 2, 3, 4].map(pagesPerEntry), [1, 512, 0x40000, 0x8000000]);
});

Deno.test("largePageAllowed() refuses the large pages that a slot holds only in part", () => {
  const partial = slot(0x100, 0x500, HVA + 0x100000);
  assertEquals([0x100, 0x1ff, 0x200, 0x3ff, 0x400, 0x5ff].map((gfn) => largePageAllowed(partial, gfn, 2)), [
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
  const tail = slot(0x200, 0x300, HVA + 0x200000);
  assertEquals([0x200, 0x3ff, 0x400, 0x4ff].map((gfn) => largePageAllowed(tail, gfn, 2)), [true, true, false, false]);
});

Deno.test("largePageAllowed() refuses everything where gfn and host address are not aligned to each other", () => {
  const skewed = slot(0x200, 0x400, HVA + 0x1000);
  assert(!largePageAllowed(skewed, 0x200, 2));
  assert(!largePageAllowed(skewed, 0x3ff, 2));
});

Deno.test("largePageAllowed() tells 2 MiB from 1 GiB", () => {
  // Aligned to each other by 2 MiB only.
  const two = slot(0x40000, 0x40000, HVA + 0x200000);
  assert(largePageAllowed(two, 0x40000, 2));
  assert(!largePageAllowed(two, 0x40000, 3));
  const one = slot(0x40000, 0x40200, HVA);
  assert(largePageAllowed(one, 0x40000, 3));
  assert(!largePageAllowed(one, 0x80000, 3));
  assert(largePageAllowed(one, 0x80000, 2));
});

Deno.test("largePageAllowed() allows exactly the large pages that lie in the slot, guest and host aligned alike", () => {
  const pages = fc.integer({ min: 1, max: 3000 });
  fc.assert(fc.property(pages, pages, fc.constantFrom(0, 1, 512), (base, npages, skew) => {
    const s = slot(base, npages, HVA + ((base % 512) + skew) * 4096);
    for (const gfn of [base, base + (npages >> 1), base + npages - 1]) {
      const first = gfn - (gfn % 512);
      const inside = first >= base && first + 512 <= base + npages && skew !== 1;
      assertEquals(largePageAllowed(s, gfn, 2), inside);
    }
  }));
});

Deno.test("markPageDirty() sets the bit of a page, and does nothing without a log", () => {
  const logging = slot(0x100, 70, HVA, true);
  markPageDirty(logging, 0x100);
  markPageDirty(logging, 0x100 + 31);
  markPageDirty(logging, 0x100 + 69);
  assertEquals([...logging.dirtyBitmap!], [0x80000001, 0, 1 << 5]);
  markPageDirty(slot(0x100, 70, HVA), 0x100);
});
