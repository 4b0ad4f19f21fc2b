import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatLanes, lanesToBigInt, parseLanes } from "./lanes.ts";
import { MMIO_LAYOUT_NAMES, type MmioHost, mmioLayout } from "./layouts.ts";

const HASWELL: MmioHost = { maxPhyAddr: 40, l1tf: true, cacheBits: 44 };
const SKYLAKE_X: MmioHost = { maxPhyAddr: 40, l1tf: true, cacheBits: 40 };

Deno.test("mmioLayout() makes the masks and values of the kernels", () => {
  const shadow = (version: string, maxPhyAddr: number) => [`linux_${version}_shadow`, maxPhyAddr] as const;
  const table: readonly (readonly [string, number, string, string])[] = [
    // Facts sheet 1.1, 2.5, 4.9 and, with MAXPHYADDR 40, the recorded masks.
    ["linux_3_10_ept", 40, "0x1fe000000000006", "0x1fe000000000006"],
    [...shadow("3_10", 40), "0x7fffff0000000001", "0x7fffff0000000001"],
    [...shadow("3_10", 52), "0x7ff0000000000000", "0x7ff0000000000000"],
    ["linux_3_11_ept", 40, "0xc000000000000006", "0xc000000000000006"],
    [...shadow("3_11", 36), "0xc00ffff000000001", "0xc00ffff000000001"],
    [...shadow("3_11", 40), "0xc00fff0000000001", "0xc00fff0000000001"],
    [...shadow("3_11", 46), "0xc00fc00000000001", "0xc00fc00000000001"],
    [...shadow("3_11", 52), "0xc000000000000000", "0xc000000000000000"],
    ["linux_4_10_ept", 40, "0xc000000000000006", "0xc000000000000006"],
    [...shadow("4_10", 40), "0xc00fff0000000001", "0xc00fff0000000001"],
    ["linux_4_19_ept", 40, "0x4000000000000007", "0x4000000000000006"],
    [...shadow("4_19", 40), "0x4008000000000001", "0x4008000000000001"],
    [...shadow("4_19", 52), "0x4008000000000000", "0x4008000000000000"],
    [...shadow("4_19_152", 40), "0x4008000000000001", "0x4008000000000001"],
    [...shadow("4_19_152", 52), "0x4000000000000000", "0x4000000000000000"],
    ["linux_5_1_ept", 40, "0x4000000000000007", "0x4000000000000006"],
    [...shadow("5_1", 40), "0x4008000000000001", "0x4008000000000001"],
    ["linux_5_11_ept", 40, "0x30000000000000", "0x30000000000006"],
    [...shadow("5_11", 40), "0x30000000000000", "0x38000000000001"],
    [...shadow("5_11", 52), "0x30000000000000", "0x30000000000000"],
    ["linux_6_1_ept", 40, "0x7", "0x6"],
    [...shadow("6_1", 40), "0x8000000000001", "0x8000000000001"],
    [...shadow("6_1", 52), "0x0", "0x0"],
    ["linux_6_12_ept", 40, "0x8000000000000007", "0x6"],
    [...shadow("6_12", 40), "0x8000000000001", "0x8000000000001"],
  ];
  for (const [name, maxPhyAddr, mask, value] of table) {
    const layout = mmioLayout(name, { maxPhyAddr });
    assertEquals(formatLanes(layout.maskLo, layout.maskHi), mask, `${name} ${maxPhyAddr}`);
    assertEquals(formatLanes(layout.valueLo, layout.valueHi), value, `${name} ${maxPhyAddr}`);
  }
});

Deno.test("mmioLayout() keeps the generation bits of facts sheet 4.8", () => {
  const table: readonly (readonly [string, number, number, number])[] = [
    ["linux_3_10", 0, 0, 0],
    ["linux_3_11", 0x7ffff, 0x7ffff, 19],
    ["linux_3_17", 0xfffff, 0xffffe, 19],
    ["linux_4_10", 0xfffff, 0xffffe, 19],
    ["linux_4_19", 0xfffff, 0xffffe, 19],
    ["linux_4_19_152", 0xfffff, 0xffffe, 19],
    ["linux_5_1", 0x7ffff, 0x3ff, 10],
    ["linux_5_11", 0x3ffff, 0x3ffff, 18],
    ["linux_6_1", 0x7ffff, 0x7ffff, 19],
    ["linux_6_12", 0x7ffff, 0x7ffff, 19],
  ];
  assertEquals(MMIO_LAYOUT_NAMES, table.flatMap(([era]) => [`${era}_ept`, `${era}_shadow`]));
  for (const [era, taken, stored, bits] of table) {
    for (const mode of ["ept", "shadow"]) {
      const layout = mmioLayout(`${era}_${mode}`);
      assertEquals(
        [layout.generationMask, layout.storedGenerationMask, layout.generationBits],
        [taken, stored, bits],
        layout.name,
      );
    }
  }
});

/** Any named layout on any host, and something to store in it. */
const encodable = fc.record({
  name: fc.constantFrom(...MMIO_LAYOUT_NAMES),
  host: fc.tuple(fc.integer({ min: 36, max: 52 }), fc.nat(16), fc.boolean()).map(
    ([maxPhyAddr, more, l1tf]): MmioHost => ({ maxPhyAddr, l1tf, cacheBits: Math.min(52, maxPhyAddr + more) }),
  ),
}).map(({ name, host }) => mmioLayout(name, host))
  .filter(({ cachingEnabled }) => cachingEnabled)
  .chain((layout) =>
    fc.record({
      layout: fc.constant(layout),
      gfn: fc.integer({ min: 0, max: layout.maxGfn }),
      access: fc.nat(7),
      generation: fc.nat(layout.generationMask),
    })
  );

Deno.test("mmioLayout() layouts decode what they encoded", () => {
  fc.assert(
    fc.property(encodable, ({ layout, gfn, access, generation }) => {
      const { lo, hi } = layout.encode(gfn, access, generation);
      const markCoversGfn = layout.maxPhyAddr === 52 && /_(4_19|5_1)_shadow$/.test(layout.name); // B16
      assert(layout.isMmio(lo, hi));
      assert(layout.isMmio(lo >>> 0, hi >>> 0));
      assertEquals(layout.gfnOf(lo, hi), markCoversGfn && gfn < 2 ** 39 ? gfn + 2 ** 39 : gfn);
      assertEquals(layout.gfnOf(lo >>> 0, hi >>> 0), layout.gfnOf(lo, hi));
      assertEquals(layout.accessOf(lo, hi), access & layout.accessMask);
      assertEquals(layout.generationOf(lo, hi), generation & layout.storedGenerationMask);
      assertEquals(layout.generationOf(lo >>> 0, hi >>> 0), generation & layout.storedGenerationMask);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("mmioLayout() layouts encode the same lanes from a generation with more bits", () => {
  fc.assert(fc.property(encodable, fc.nat(0xff), ({ layout, gfn, access, generation }, more) => {
    const wide = generation + more * (layout.generationMask + 1);
    assertEquals(layout.encodeLo(gfn, access, wide), layout.encodeLo(gfn, access, generation));
    assertEquals(layout.encodeHi(gfn, access, wide), layout.encodeHi(gfn, access, generation));
  }));
});

Deno.test("mmioLayout() splits the gfn as facts sheet 4.10 says", () => {
  const reserved = (name: string, host: MmioHost) => {
    const { lo, hi } = mmioLayout(name, host).encode(0, 0, 0);
    const { valueLo, valueHi } = mmioLayout(name, host);
    return lanesToBigInt(lo, hi) & ~lanesToBigInt(valueLo, valueHi);
  };
  const R = (low: number) => 0x1fn << BigInt(low);
  const table: readonly (readonly [string, MmioHost, bigint])[] = [
    ["linux_4_10_ept", { maxPhyAddr: 46, l1tf: true }, 0n],
    ["linux_4_19_ept", { maxPhyAddr: 36 }, R(31)],
    ["linux_4_19_shadow", { maxPhyAddr: 46, l1tf: false }, R(41)],
    ["linux_4_19_ept", { maxPhyAddr: 47 }, 0n],
    ["linux_4_19_152_ept", { maxPhyAddr: 40, l1tf: true, cacheBits: 44 }, R(39)],
    ["linux_4_19_152_shadow", { maxPhyAddr: 40 }, 0n],
    ["linux_5_11_ept", { maxPhyAddr: 46 }, 0n],
    ["linux_5_11_ept", { maxPhyAddr: 46, l1tf: true }, R(41)],
    ["linux_6_1_ept", HASWELL, R(39)],
    ["linux_6_1_shadow", SKYLAKE_X, R(35)],
    ["linux_6_12_ept", { maxPhyAddr: 46, l1tf: true, cacheBits: 47 }, 0n],
  ];
  for (const [name, host, expected] of table) assertEquals(reserved(name, host), expected, name);
});

Deno.test("mmioLayout() turns caching off where the kernel has no value left", () => {
  for (
    const layout of [
      mmioLayout("linux_6_1_shadow", { maxPhyAddr: 52 }),
      mmioLayout("linux_6_12_shadow", { maxPhyAddr: 52 }),
      mmioLayout("linux_6_1_ept", { mmioCaching: false }),
    ]
  ) {
    assertEquals(layout.cachingEnabled, false);
    assertEquals(layout.isMmio(0, 0), false);
    assertEquals(layout.isMmio(6, 0), false);
    assertThrows(
      () => layout.encode(0, 0, 0),
      RangeError,
      `Cannot encode in layout '${layout.name}': MMIO caching is off`,
    );
  }
  assertEquals(mmioLayout("linux_6_1_ept", { maxPhyAddr: 52, mmioCaching: true }).cachingEnabled, true);
});

Deno.test("mmioLayout() layouts tell MMIO sptes from recorded other entries", () => {
  const entries: readonly (readonly [string, readonly string[]])[] = [
    ["linux_6_1_ept", ["0x0", "0x60000000b0ebb77", "0xa903907", "0x5a0"]],
    ["linux_6_1_shadow", ["0x0", "0x10a58b827", "0x101f79a25", "0x5a0"]],
    ["linux_6_12_ept", ["0x8000000000000000", "0x8600000005bdbb77", "0x800000000a125907", "0x80000000000005a0"]],
  ];
  for (const [name, sptes] of entries) {
    for (const spte of sptes) {
      const { lo, hi } = parseLanes(spte);
      assertEquals(mmioLayout(name).isMmio(lo, hi), false, spte);
    }
  }
});

Deno.test("mmioLayout() rejects unknown names and hosts that do not exist", () => {
  assertThrows(
    () => mmioLayout("linux_3_12_ept"),
    RangeError,
    "Unknown MMIO layout 'linux_3_12_ept': expected one of linux_3_10_ept, linux_3_10_shadow, linux_3_11_ept",
  );
  assertThrows(() => mmioLayout("toString_ept"), RangeError, "Unknown MMIO layout");
  assertThrows(() => mmioLayout("linux_3_11_npt"), RangeError, "Unknown MMIO layout");
  assertThrows(
    () => mmioLayout("linux_3_11_ept", { maxPhyAddr: 53 }),
    RangeError,
    "Cannot make layout 'linux_3_11_ept': expected maxPhyAddr from 36 to 52, got 53",
  );
  assertThrows(() => mmioLayout("linux_6_1_ept", { maxPhyAddr: 46, cacheBits: 44 }), RangeError, "cacheBits from 46");
  assertThrows(() => mmioLayout("linux_5_11_ept", { mmioCaching: true }), RangeError, "came with 5.13");
});
