import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { largePageLimits, type Memslot } from "./memslot.ts";
import { MemslotSet } from "./memslot_set.ts";

function slot(id: number, baseGfn: number, npages: number): Memslot {
  const userspaceAddr = id * 2 ** 30;
  return {
    asId: 0,
    id,
    baseGfn,
    npages,
    flags: 0,
    userspaceAddr,
    invalid: false,
    dirtyBitmap: null,
    largePageLimits: largePageLimits(baseGfn, npages, userspaceAddr),
  };
}

Deno.test("MemslotSet.find() finds nothing in an empty set", () => {
  assertEquals(new MemslotSet().find(0), undefined);
  assertEquals(new MemslotSet().size, 0);
});

Deno.test("MemslotSet.find() knows first and last page of a slot", () => {
  const set = new MemslotSet([slot(0, 0x100, 0x10), slot(1, 0x110, 1), slot(2, 0x200, 0x100)]);
  const idAt = (gfn: number) => set.find(gfn)?.id;
  assertEquals([0xff, 0x100, 0x10f, 0x110, 0x111, 0x1ff, 0x200, 0x2ff, 0x300].map(idAt), [
    undefined,
    0,
    0,
    1,
    undefined,
    undefined,
    2,
    2,
    undefined,
  ]);
});

Deno.test("MemslotSet.find() agrees with a linear scan, whatever was found before", () => {
  const layout = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 20 })), { maxLength: 12 });
  fc.assert(fc.property(layout, fc.array(fc.nat(500)), (gaps, gfns) => {
    let next = 0;
    const slots = gaps.map(([gap, npages], id) => {
      const made = slot(id, next + gap, npages);
      next += gap + npages;
      return made;
    });
    const set = new MemslotSet([...slots].reverse());
    for (const gfn of gfns) {
      const scanned = slots.find(({ baseGfn, npages }) => gfn >= baseGfn && gfn < baseGfn + npages);
      assertStrictEquals(set.find(gfn), scanned);
    }
  }));
});

Deno.test("MemslotSet.find() finds the larger slot where a private one overlaps, as the kernel's array does", () => {
  fc.assert(fc.property(fc.nat(40), fc.integer({ min: 1, max: 30 }), fc.nat(60), (base, npages, gfn) => {
    const slots = [slot(0, 10, 25), slot(127, base, npages)];
    const covering = slots.filter((s) => gfn >= s.baseGfn && gfn < s.baseGfn + s.npages);
    covering.sort((a, b) => b.npages - a.npages);
    if (covering.length === 2 && covering[0].npages === covering[1].npages) return;
    assertStrictEquals(new MemslotSet(slots).find(gfn), covering[0]);
  }));
});

Deno.test("MemslotSet.with() and without() leave the set itself alone", () => {
  const one = new MemslotSet([slot(0, 0, 4)]);
  const two = one.with(slot(1, 8, 4));
  const replaced = two.with(slot(0, 100, 4));
  const gone = replaced.without(1);
  assertEquals([one, two, replaced, gone].map((set) => [...set].map(({ id, baseGfn }) => [id, baseGfn])), [
    [[0, 0]],
    [[0, 0], [1, 8]],
    [[1, 8], [0, 100]],
    [[0, 100]],
  ]);
  assertEquals(replaced.byId(0)?.baseGfn, 100);
  assertEquals(gone.byId(1), undefined);
  assertEquals(one.without(9).size, 1);
});
