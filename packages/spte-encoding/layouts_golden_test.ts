import { assert, assertEquals } from "@std/assert";
import { formatLanes } from "./lanes.ts";
import { type MmioHost, mmioLayout } from "./layouts.ts";

interface Golden {
  readonly layout: string;
  readonly host?: MmioHost;
  readonly gfn: number;
  readonly access?: number;
  readonly generation: number;
  readonly spte: string;
  /** What comes back, where it is not what went in. */
  readonly reads?: { access?: number; generation?: number };
}

const HASWELL: MmioHost = { maxPhyAddr: 40, l1tf: true, cacheBits: 44 };
const SKYLAKE_X: MmioHost = { maxPhyAddr: 40, l1tf: true, cacheBits: 40 };

const GOLDEN: Record<string, readonly Golden[]> = {
  "facts sheet 2.5": [
    { layout: "linux_3_11_ept", gfn: 0xfee00, access: 7, generation: 0x7ff69, spte: "0xfff00000fee00b4e" },
    { layout: "linux_3_11_ept", gfn: 0xfee00, access: 7, generation: 0x7ff6a, spte: "0xfff00000fee00b56" },
    { layout: "linux_3_11_ept", gfn: 0xb8, access: 6, generation: 0x7ffff, spte: "0xfff00000000b8ffe" },
    { layout: "linux_3_11_ept", gfn: 0xd0000, access: 7, generation: 0, spte: "0xc0000000d0000006" },
    {
      layout: "linux_3_11_shadow",
      host: { maxPhyAddr: 36 },
      gfn: 0xfee00,
      access: 7,
      generation: 0x7ff69,
      spte: "0xfffffff0fee00b4f",
      reads: { access: 6 },
    },
    {
      layout: "linux_3_11_shadow",
      host: { maxPhyAddr: 40 },
      gfn: 0xb8,
      access: 3,
      generation: 0x7fffe,
      spte: "0xffffff00000b8ff3",
      reads: { access: 2 },
    },
    {
      layout: "linux_3_11_shadow",
      host: { maxPhyAddr: 46 },
      gfn: 0xd0000,
      access: 7,
      generation: 0,
      spte: "0xc00fc000d0000007",
      reads: { access: 6 },
    },
  ],
  "facts sheet 4.10": [
    {
      layout: "linux_4_19_ept",
      host: { maxPhyAddr: 39 },
      gfn: 0xfee00,
      generation: 0xfff6a,
      spte: "0x7ff0007cfee00dae",
    },
    {
      layout: "linux_4_19_ept",
      host: { maxPhyAddr: 39 },
      gfn: 0x7c00123,
      generation: 0xfff6a,
      spte: "0x7ff00ffc00123dae",
    },
    {
      layout: "linux_4_19_ept",
      host: { maxPhyAddr: 46 },
      gfn: 0x3e0000123,
      generation: 0xfff6a,
      spte: "0x7ff7fe0000123dae",
    },
  ],
  "facts sheet 4.11": [
    { layout: "linux_4_10_ept", gfn: 0xfee00, generation: 0xfff6a, spte: "0xfff00000fee00dae" },
    {
      layout: "linux_4_10_ept",
      gfn: 0xfee00,
      generation: 0xfff6b,
      spte: "0xfff00000fee00dae",
      reads: { generation: 0xfff6a },
    },
    { layout: "linux_4_10_ept", gfn: 0xfee00, generation: 2, spte: "0xc0000000fee0000e" },
    { layout: "linux_3_17_ept", gfn: 0xfee00, generation: 0x12344, spte: "0xc4800000fee00d16" },
    { layout: "linux_6_1_ept", gfn: 0xfee00, generation: 2, spte: "0xfee00016" },
    { layout: "linux_6_12_ept", gfn: 0xfee00, generation: 0x7fffe, spte: "0x7ff00000fee007f6" },
    { layout: "linux_6_1_ept", gfn: 0xfed00, generation: 0x12345, spte: "0x12300000fed0022e" },
    {
      layout: "linux_6_1_shadow",
      gfn: 0xfee00,
      access: 7,
      generation: 0,
      spte: "0x80000fee00007",
      reads: { access: 6 },
    },
    {
      layout: "linux_6_12_shadow",
      gfn: 0xfed00,
      access: 7,
      generation: 0x12345,
      spte: "0x12380000fed0022f",
      reads: { access: 6 },
    },
  ],
  "other eras, worked out by hand": [
    {
      layout: "linux_3_17_shadow",
      gfn: 0xfee00,
      access: 7,
      generation: 0xfff6a,
      spte: "0xffffff00fee00daf",
      reads: { access: 6 },
    },
    {
      layout: "linux_4_19_shadow",
      gfn: 0xfee00,
      access: 7,
      generation: 0xfff6a,
      spte: "0x7ff800f8fee00daf",
      reads: { access: 6 },
    },
    // No L1TF bug on AMD; the cache of a Haswell uses 44 bits.
    {
      layout: "linux_4_19_152_shadow",
      gfn: 0xfee00,
      access: 6,
      generation: 0xfff6a,
      spte: "0x7ff80000fee00daf",
    },
    { layout: "linux_4_19_152_ept", host: HASWELL, gfn: 0xa810000, generation: 2, spte: "0x40001fa81000000e" },
    { layout: "linux_5_1_ept", gfn: 0xfee00, generation: 2, spte: "0x402000f8fee00016" },
    { layout: "linux_5_1_shadow", gfn: 0xfee00, access: 6, generation: 2, spte: "0x402800f8fee00017" },
    // B07: the upper field repeats the lower bits, and from 1024 on the number does not come back.
    {
      layout: "linux_5_1_ept",
      gfn: 0xfee00,
      generation: 0x400,
      spte: "0x400000f8fee00006",
      reads: { generation: 0 },
    },
    { layout: "linux_5_11_ept", gfn: 0xfee00, generation: 0x12345, spte: "0x24700000fee00a2e" },
    { layout: "linux_5_11_shadow", gfn: 0xfee00, access: 6, generation: 0x12345, spte: "0x24780000fee00a2f" },
  ],
  "recorded on 3.11": [
    { layout: "linux_3_11_ept", gfn: 0xd0000, generation: 0x7ff6b, spte: "0xfff00000d0000b5e" },
    { layout: "linux_3_11_ept", gfn: 0xd0000, generation: 0x7ff6c, spte: "0xfff00000d0000b66" },
    { layout: "linux_3_11_ept", gfn: 0x7fffffe, generation: 0x7ff6b, spte: "0xfff0007fffffeb5e" },
    { layout: "linux_3_11_ept", gfn: 0xd0000, generation: 0x7fffe, spte: "0xfff00000d0000ff6" },
    { layout: "linux_3_11_ept", gfn: 0xd0000, generation: 0x7ffff, spte: "0xfff00000d0000ffe" },
    { layout: "linux_3_11_ept", gfn: 0xd0000, generation: 1, spte: "0xc0000000d000000e" },
    { layout: "linux_3_11_shadow", gfn: 0xe0000, access: 6, generation: 0x7ff6a, spte: "0xffffff00e0000b57" },
  ],
  "recorded on 4.10": [
    { layout: "linux_4_10_shadow", gfn: 0xd0000, access: 6, generation: 0xfff6c, spte: "0xffffff00d0000db7" },
  ],
  "recorded on 6.1 and 6.12": [
    { layout: "linux_6_1_ept", host: HASWELL, gfn: 0xd0000, generation: 2, spte: "0xf80d0000016" },
    { layout: "linux_6_1_ept", host: HASWELL, gfn: 0xd0000, generation: 4, spte: "0xf80d0000026" },
    { layout: "linux_6_1_ept", host: HASWELL, gfn: 0xd0000, generation: 0x70a, spte: "0x700f80d0000056" },
    { layout: "linux_6_1_ept", host: HASWELL, gfn: 0xa810000, generation: 2, spte: "0x1fa810000016" },
    { layout: "linux_6_1_ept", host: SKYLAKE_X, gfn: 0xa810000, generation: 2, spte: "0x15f810000016" },
    { layout: "linux_6_1_ept", host: SKYLAKE_X, gfn: 0xf810000, generation: 2, spte: "0x1ff810000016" },
    { layout: "linux_6_1_ept", gfn: 0xa810000, generation: 2, spte: "0xa810000016" },
    {
      layout: "linux_6_1_shadow",
      host: HASWELL,
      gfn: 0xd0000,
      access: 5,
      generation: 2,
      spte: "0x80f80d0000015",
      reads: { access: 4 },
    },
    { layout: "linux_6_1_shadow", gfn: 0xd0000, access: 6, generation: 2, spte: "0x80000d0000017" },
    { layout: "linux_6_12_ept", host: HASWELL, gfn: 0xd0000, generation: 2, spte: "0xf80d0000016" },
  ],
};

for (const [source, cases] of Object.entries(GOLDEN)) {
  Deno.test(`mmioLayout() encodes and decodes the golden values of ${source}`, () => {
    for (const { layout: name, host, gfn, access = 0, generation, spte, reads } of cases) {
      const layout = mmioLayout(name, host);
      const { lo, hi } = layout.encode(gfn, access, generation);
      assertEquals(formatLanes(lo, hi), spte, name);
      assert(layout.isMmio(lo, hi), spte);
      assertEquals(layout.gfnOf(lo, hi), gfn, spte);
      const stored = name.endsWith("_ept") ? 0 : access;
      assertEquals(layout.accessOf(lo, hi), reads?.access ?? stored, spte);
      assertEquals(layout.generationOf(lo, hi), reads?.generation ?? generation, spte);
    }
  });
}
