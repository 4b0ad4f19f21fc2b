import { mmioLayout, parseLanes } from "@mmu-lab/spte-encoding";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type EptCapabilities, isMisconfigured } from "./misconfiguration.ts";

const HASWELL: EptCapabilities = { maxPhyAddr: 40, executeOnly: true, maxPageLevel: 3 };
/** Write-back RAM, all rights. */
const LEAF = "0x3f706077";

function misconfigured(spte: string, level: number, cpu: Partial<EptCapabilities> = {}): boolean {
  const { lo, hi } = parseLanes(spte);
  return isMisconfigured(lo, hi, level, { ...HASWELL, ...cpu });
}

Deno.test("isMisconfigured() finds 010b and 110b at every level, whatever the rest says", () => {
  for (let level = 1; level <= 5; level++) {
    for (const spte of ["0x2", "0x6", "0xfff00000fee00b4e", "0x1000032"]) assert(misconfigured(spte, level));
  }
});

Deno.test("isMisconfigured() finds 100b where the processor has no execute-only", () => {
  assert(!misconfigured("0x34", 1));
  assert(misconfigured("0x34", 1, { executeOnly: false }));
});

Deno.test("isMisconfigured() never finds anything wrong with an entry that allows nothing", () => {
  fc.assert(fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 1, max: 5 }), (lo, hi, level) => {
    assert(!isMisconfigured(lo & ~7, hi, level, HASWELL));
  }));
});

Deno.test("isMisconfigured() finds address bits at and above MAXPHYADDR", () => {
  const at = (bit: number) => `0x${((1n << BigInt(bit)) | 0x77n).toString(16)}`;
  for (let bit = 40; bit <= 51; bit++) assert(misconfigured(at(bit), 1), `bit ${bit}`);
  assert(!misconfigured(at(39), 1));
  for (let bit = 52; bit <= 63; bit++) assert(!misconfigured(at(bit), 1), `bit ${bit} is ignored`);
  assert(misconfigured(at(51), 1, { maxPhyAddr: 51 }));
  assert(!misconfigured(at(51), 1, { maxPhyAddr: 52 }));
});

Deno.test("isMisconfigured() finds reserved low bits of table entries: 6:3, and 7:3 from level 4 on", () => {
  for (let bit = 3; bit <= 6; bit++) {
    for (let level = 2; level <= 5; level++) assert(misconfigured(`0x${(0x1007 | (1 << bit)).toString(16)}`, level));
  }
  assert(misconfigured("0x1087", 4));
  assert(misconfigured("0x1087", 5));
  for (let level = 2; level <= 5; level++) assert(!misconfigured("0x1107", level));
});

Deno.test("isMisconfigured() finds large pages that are not aligned, or larger than the processor's", () => {
  assert(!misconfigured("0x2000f7", 2));
  for (let bit = 12; bit <= 20; bit++) assert(misconfigured(`0x${(0x2000f7 | (1 << bit)).toString(16)}`, 2));
  assert(!misconfigured("0x400000f7", 3));
  for (let bit = 12; bit <= 29; bit++) assert(misconfigured(`0x${(0x400000f7 | (1 << bit)).toString(16)}`, 3));
  assert(misconfigured("0x400000f7", 3, { maxPageLevel: 2 }));
  assert(misconfigured("0x2000f7", 2, { maxPageLevel: 1 }));
});

Deno.test("isMisconfigured() finds the memory types 2, 3 and 7 in leaves", () => {
  const ofType = (type: number) => `0x${(0x1007 | (type << 3)).toString(16)}`;
  assertEquals([0, 1, 2, 3, 4, 5, 6, 7].map((type) => misconfigured(ofType(type), 1)), [
    false,
    false,
    true,
    true,
    false,
    false,
    false,
    true,
  ]);
  assert(misconfigured("0x20009f", 2));
  assert(!misconfigured(LEAF, 1));
});

Deno.test("isMisconfigured() finds every MMIO spte of every EPT layout", () => {
  const layouts = ["linux_3_10_ept", "linux_3_11_ept", "linux_3_17_ept", "linux_6_1_ept"].map((name) =>
    mmioLayout(name)
  );
  const generations = fc.nat(0x7ffff);
  fc.assert(fc.property(fc.constantFrom(...layouts), fc.nat(0xfffffff), generations, (layout, gfn, generation) => {
    const stored = generation & layout.generationMask;
    const lo = layout.encodeLo(gfn, 6, stored);
    assert(isMisconfigured(lo, layout.encodeHi(gfn, 6, stored), 1, HASWELL));
  }));
});
