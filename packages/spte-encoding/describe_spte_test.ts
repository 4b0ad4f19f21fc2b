import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { describeSpte, formatDescription, type SpteKind } from "./describe_spte.ts";
import { bigIntToLanes, parseLanes } from "./lanes.ts";
import { MMIO_LAYOUT_NAMES, type MmioHost, mmioLayout } from "./layouts.ts";

function describe(spte: string, layout: string, host?: MmioHost, level?: number) {
  const { lo, hi } = parseLanes(spte);
  return describeSpte(lo, hi, mmioLayout(layout, host), level === undefined ? {} : { level });
}

Deno.test("describeSpte() names kind and content of recorded entries", () => {
  const table: readonly (readonly [string, string, SpteKind, string])[] = [
    ["0xfff00000d0000b5e", "linux_3_11_ept", "mmio", "gfn 0xd0000, access not stored, generation 0x7ff6b"],
    ["0xffffff00e0000b57", "linux_3_11_shadow", "mmio", "gfn 0xe0000, access write|user, generation 0x7ff6a"],
    ["0x80000d0000015", "linux_6_1_shadow", "mmio", "gfn 0xd0000, access user, generation 0x2"],
    ["0x1fe0000d0000006", "linux_3_10_ept", "mmio", "gfn 0xd0000, access not stored, no generation"],
    ["0x60000000b0ebb77", "linux_6_1_ept", "present leaf", "pfn 0xb0eb, rwx"],
    ["0xa903907", "linux_6_1_ept", "present leaf or table", "pfn 0xa903, rwx"],
    ["0x8600000005bdbb77", "linux_6_12_ept", "present leaf", "pfn 0x5bdb, rwx"],
    ["0x101f79a25", "linux_6_1_shadow", "present leaf", "pfn 0x101f79, r-xu"],
    ["0x10a58b827", "linux_6_1_shadow", "present leaf or table", "pfn 0x10a58b, rwxu"],
    ["0x0", "linux_3_11_ept", "non-present", "empty"],
    ["0x8000000000000000", "linux_6_12_shadow", "non-present", "empty"],
    ["0x80000000000005a0", "linux_6_12_ept", "non-present", "frozen: its table is going away"],
    ["0x5a0", "linux_6_1_ept", "non-present", "frozen: its table is going away"],
    ["0x5a0", "linux_3_11_ept", "non-present", "not empty"],
    ["0xd0000006", "linux_3_11_ept", "present leaf or table", "pfn 0xd0000, -wx: EPT misconfiguration"],
  ];
  for (const [spte, layout, kind, summary] of table) {
    const description = describe(spte, layout);
    assertEquals([description.kind, description.summary], [kind, summary], spte);
  }
});

Deno.test("describeSpte() tells leaves from tables by level", () => {
  assertEquals(describe("0xa903907", "linux_6_1_ept", {}, 2).kind, "present table");
  assertEquals(describe("0xa903907", "linux_6_1_ept", {}, 1).kind, "present leaf");
  assertEquals(describe("0x10a5800a7", "linux_6_1_shadow", {}, 2).kind, "present leaf");
});

Deno.test("describeSpte() never reads an entry as MMIO when caching is off", () => {
  assertEquals(describe("0x6", "linux_6_1_ept", { mmioCaching: false }).kind, "present leaf or table");
});

Deno.test("formatDescription() prints a split MMIO spte", () => {
  const host: MmioHost = { maxPhyAddr: 40, l1tf: true, cacheBits: 44 };
  assertEquals(
    formatDescription(describe("0x1fa810000016", "linux_6_1_ept", host)).split("\n"),
    [
      "0x1fa810000016 (linux_6_1_ept): mmio, gfn 0xa810000, access not stored, generation 0x2",
      "  62:52  generation high  0x0",
      "  48:44  moved gfn        0x1",
      "  43:39  L1TF             0x1f",
      "  38:12  gfn              0x2810000",
      "   10:3  generation low   0x2",
      "    2:0  mask             0x6",
    ],
  );
});

Deno.test("formatDescription() prints a present EPT leaf", () => {
  assertEquals(
    formatDescription(describe("0x60000000b0ebb77", "linux_6_1_ept")).split("\n"),
    [
      "0x60000000b0ebb77 (linux_6_1_ept): present leaf, pfn 0xb0eb, rwx",
      "     58  MMU-writable    0x1",
      "     57  host-writable   0x1",
      "  53:52  spte kind       0x0  A/D bits on",
      "  51:12  pfn             0xb0eb",
      "     11  present to KVM  0x1",
      "      9  dirty           0x1",
      "      8  accessed        0x1",
      "      7  large page      0x0",
      "      6  ignore PAT      0x1",
      "    5:3  memory type     0x6  WB",
      "    2:0  permissions     0x7  rwx",
    ],
  );
});

Deno.test("formatDescription() prints a present legacy leaf", () => {
  assertEquals(
    formatDescription(describe("0x101f79a25", "linux_6_1_shadow")).split("\n").slice(1, 7),
    [
      "     63  no execute                     0x0",
      "  53:52  spte kind                      0x0  A/D bits on",
      "  51:12  pfn                            0x101f79",
      "     11  present to KVM                 0x1",
      "     10  MMU-writable                   0x0",
      "      9  host-writable                  0x1",
    ],
  );
});

Deno.test("formatDescription() points at MMIO bits that belong to no field", () => {
  const text = formatDescription(describe("0xfee00816", "linux_6_1_ept"));
  assertEquals(text.split("\n").at(-1), "   63:0  entry            0xfee00816  bits 0x800 belong to no field");
});

Deno.test("describeSpte() reads any entry under any layout, highest bits first", () => {
  const entry = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(fc.property(fc.constantFrom(...MMIO_LAYOUT_NAMES), entry, (name, value) => {
    const { lo, hi } = bigIntToLanes(value);
    const layout = mmioLayout(name);
    const description = describeSpte(lo, hi, layout);
    assertEquals(description, describeSpte(lo >>> 0, hi >>> 0, layout));
    assertEquals(description.kind === "mmio", layout.isMmio(lo, hi));
    const lows = description.fields.filter(({ name }) => name !== "entry").map(({ bits }) =>
      Number(bits.split(":").at(-1))
    );
    assertEquals(lows, lows.toSorted((one, other) => other - one));
  }));
});
