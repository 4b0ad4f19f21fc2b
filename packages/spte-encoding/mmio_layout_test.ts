import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { EPT_ENTRIES, LEGACY_ENTRIES } from "./entry_format.ts";
import { formatLanes, parseLanes } from "./lanes.ts";
import { MMIO_LAYOUT_NAMES, mmioLayout } from "./layouts.ts";
import { MmioLayout, type MmioLayoutOptions } from "./mmio_layout.ts";

const EPT_MARK = 3n << 62n | 6n;

const OPTIONS: MmioLayoutOptions = {
  name: "x",
  mask: EPT_MARK,
  value: EPT_MARK,
  accessMask: 0,
  generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 9, width: 10 }],
  generationMask: 0x7ffff,
  maxPhyAddr: 40,
  entryFormat: EPT_ENTRIES,
};

/** 5.4: the kind 11b in bits 53:52 marks MMIO, and the generation field was not moved away (bug B08). */
const B08: MmioLayoutOptions = {
  ...OPTIONS,
  mask: 3n << 52n,
  value: 3n << 52n | 6n,
  allowOverlap: true,
};

Deno.test("MmioLayout.encode() rejects what the layout cannot represent", () => {
  const layout = new MmioLayout(OPTIONS);
  const table: readonly (readonly [number, number, number, string])[] = [
    [2 ** 28, 0, 0, "Cannot encode gfn 0x10000000 in layout 'x': expected 0 to 0xfffffff"],
    [-1, 0, 0, "Cannot encode gfn"],
    [0.5, 0, 0, "Cannot encode gfn"],
    [0, 8, 0, "Cannot encode access 0x8 in layout 'x': expected 0 to 0x7"],
    [0, 0, 0x80000, "Cannot encode generation 0x80000 in layout 'x': expected 0 to 0x7ffff"],
    [0, 0, NaN, "Cannot encode generation"],
  ];
  for (const [gfn, access, generation, message] of table) {
    assertThrows(() => layout.encode(gfn, access, generation), RangeError, message);
  }
});

Deno.test("MmioLayout.encodeLo() and encodeHi() drop what the layout cannot represent", () => {
  const layout = new MmioLayout(OPTIONS);
  const gfn = 2 ** 40 - 1;
  assertEquals(formatLanes(layout.encodeLo(gfn, 7, 0), layout.encodeHi(gfn, 7, 0)), "0xc00000fffffff006");
});

Deno.test("MmioLayout.encode() drops exec", () => {
  const layout = new MmioLayout({ ...OPTIONS, mask: 3n << 62n, value: 3n << 62n, accessMask: 6 });
  const { lo, hi } = layout.encode(0, 1, 0);
  assertEquals([layout.accessOf(lo, hi), lo], [0, 0]);
});

Deno.test("MmioLayout rejects fields that overlap, and names them", () => {
  const table: readonly (readonly [Partial<MmioLayoutOptions>, string])[] = [
    [{ mask: B08.mask, value: B08.value }, "generation bits [61:52] overlap mask bits [53:52]"],
    [{ mask: 7n, value: 6n | 1n << 61n }, "generation bits [61:52] overlap value bits [61]"],
    [{ maxPhyAddr: 52, mask: 1n << 51n, value: 1n << 51n }, "gfn bits [51:12] overlap mask bits [51]"],
    [{ accessMask: 6 }, "access bits [2:1] overlap mask bits [2:1]"],
    [
      { generation: [{ spteLow: 4, genLow: 0, width: 9 }] },
      "generation bits [12:4] overlap gfn bits [39:12]",
    ],
    [
      { mask: 1n << 48n, value: 1n << 48n, l1tf: { reservedLow: 39, reservedHigh: 43 } },
      "moved gfn bits [48:44] overlap mask bits [48]",
    ],
  ];
  for (const [changes, message] of table) {
    assertThrows(() => new MmioLayout({ ...OPTIONS, ...changes }), RangeError, `Layout 'x': ${message}`);
  }
});

Deno.test("MmioLayout rejects numbers out of their range", () => {
  const segment = { spteLow: 3, genLow: 0, width: 9 };
  const table: readonly (readonly [Partial<MmioLayoutOptions>, string])[] = [
    [{ accessMask: 7 }, "access mask 7 has bits besides write and user"],
    [{ generationMask: 0x7fffe }, "generation mask 0x7fffe is not 0 or one less than a power of two"],
    [{ generation: [{ ...segment, spteLow: 28 }] }, "generation bits [36:28] cross a lane"],
    [{ generation: [{ ...segment, genLow: 4 }] }, "generation bit 4 cannot move right to spte bit 3"],
    [
      { generation: [{ spteLow: 52, genLow: 10, width: 10 }] },
      "generation bits [61:52] keep more than the generation mask",
    ],
    [{ generation: [segment, { ...segment, spteLow: 12 }] }, "more than one generation segment in a lane"],
    [{ maxPhyAddr: 53 }, "gpa bit 52 is not one of 51:12"],
    [{ l1tf: { reservedLow: 12, reservedHigh: 16 } }, "L1TF bits leave no gfn"],
  ];
  for (const [changes, message] of table) {
    assertThrows(() => new MmioLayout({ ...OPTIONS, ...changes }), RangeError, `Layout 'x': ${message}`);
  }
});

Deno.test("MmioLayout can be bug B07: from 1024 on the stored generation never matches", () => {
  const layout = new MmioLayout({
    ...OPTIONS,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 0, width: 10 }],
  });
  assertEquals([layout.storedGenerationMask, layout.generationBits], [0x3ff, 10]);
  fc.assert(fc.property(fc.nat(0x7ffff), (generation) => {
    const { lo, hi } = layout.encode(0xfee00, 0, generation);
    assertEquals(layout.generationOf(lo, hi), generation & 0x3ff);
  }));
});

Deno.test("MmioLayout can be bug B08: two generation bits under the mark read as 0", () => {
  const layout = new MmioLayout(B08);
  const { lo, hi } = layout.encode(0xfee00, 0, 0x7ffff);
  assertEquals(layout.isMmio(lo, hi), true);
  assertEquals(layout.generationOf(lo, hi), 0x7ffff & ~0x600);
  assertEquals(layout.generationBits, 17);
});

Deno.test("MmioLayout can be bugs B07 and B08 at once: B07 hides B08", () => {
  const layout = new MmioLayout({
    ...B08,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 0, width: 10 }],
  });
  assertEquals(layout.storedGenerationMask, 0x3ff);
});

Deno.test("MmioLayout can be bug B12: the moved bits stay in the gfn", () => {
  const split = { reservedLow: 35, reservedHigh: 39 };
  const fixed = new MmioLayout({ ...OPTIONS, l1tf: split });
  const buggy = new MmioLayout({ ...OPTIONS, l1tf: { ...split, keepsMovedBits: true } });
  const { lo, hi } = fixed.encode(0xa810000, 0, 0);
  assertEquals(fixed.gfnOf(lo, hi), 0xa810000);
  assertEquals(buggy.gfnOf(lo, hi), 0xa810000 + 0x15 * 2 ** 28);
  const below = fixed.encode(0x7fffff, 0, 0);
  assertEquals(buggy.gfnOf(below.lo, below.hi), 0x7fffff);
});

Deno.test("MmioLayout can be bug B14: mark bits come back in the gfn", () => {
  const mark = 0x1ffn << 43n | 1n;
  const layout = new MmioLayout({
    ...OPTIONS,
    mask: mark,
    value: mark,
    accessMask: 6,
    maxPhyAddr: 43,
    gfnHigh: 47,
    entryFormat: LEGACY_ENTRIES,
    allowOverlap: true,
  });
  const { lo, hi } = layout.encode(0xfee00, 0, 0);
  assertEquals(layout.gfnOf(lo, hi), 0xfee00 + 0x1f * 2 ** 31);
});

Deno.test("MmioLayout.isMmio() looks at the mask only", () => {
  const layout = new MmioLayout({ ...OPTIONS, mask: 7n, value: 6n });
  for (
    const [spte, expected] of [["0x6", true], ["0xffffffffffffffee", true], ["0x7", false], ["0x4", false]] as const
  ) {
    const { lo, hi } = parseLanes(spte);
    assertEquals(layout.isMmio(lo, hi), expected, spte);
  }
});

Deno.test("MmioLayout.nextMmio() finds exactly the entries that isMmio() accepts", () => {
  for (const name of MMIO_LAYOUT_NAMES) {
    const layout = mmioLayout(name);
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(0xfffff), fc.integer(), fc.integer())), (entries) => {
      const lanes = Int32Array.from(entries.flatMap(([mmio, gfn, lo, hi]) => {
        if (!mmio) return [lo, hi];
        return [layout.encodeLo(gfn, 6, gfn), layout.encodeHi(gfn, 6, gfn)];
      }));
      const found: number[] = [];
      for (let at = layout.nextMmio(lanes, 0, lanes.length); at < lanes.length;) {
        found.push(at / 2);
        at = layout.nextMmio(lanes, at + 2, lanes.length);
      }
      const expected = entries.flatMap((_, i) => layout.isMmio(lanes[2 * i], lanes[2 * i + 1]) ? [i] : []);
      assertEquals(found, expected, name);
    }));
  }
});

Deno.test("MmioLayout.nextMmio() finds nothing when caching is off", () => {
  const layout = mmioLayout("linux_6_1_ept", { mmioCaching: false });
  assertEquals(layout.nextMmio(new Int32Array([0, 0, 6, 0, -1, -1]), 0, 6), 6);
});
