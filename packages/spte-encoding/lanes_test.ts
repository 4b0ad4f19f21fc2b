import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { addressHi, addressLo, bigIntToLanes, formatLanes, lanesToBigInt, parseLanes, pfnOfLanes } from "./lanes.ts";

const entry = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

Deno.test("formatLanes() prints lower case without leading zeros", () => {
  assertEquals(formatLanes(0, 0), "0x0");
  assertEquals(formatLanes(0x5a0, 0), "0x5a0");
  assertEquals(formatLanes(0x17, 0x1), "0x100000017");
  assertEquals(formatLanes(-1, -1), "0xffffffffffffffff");
});

Deno.test("formatLanes() prints int32 and uint32 lanes alike", () => {
  fc.assert(fc.property(entry, (value) => {
    const { lo, hi } = bigIntToLanes(value);
    assertEquals(formatLanes(lo, hi), `0x${value.toString(16)}`);
    assertEquals(formatLanes(lo >>> 0, hi >>> 0), `0x${value.toString(16)}`);
  }));
});

Deno.test("parseLanes() reads what formatLanes() prints", () => {
  fc.assert(fc.property(entry, (value) => {
    const lanes = bigIntToLanes(value);
    assertEquals(parseLanes(formatLanes(lanes.lo, lanes.hi)), lanes);
    assertEquals(parseLanes(value.toString(16).toUpperCase()), lanes);
  }));
});

Deno.test("parseLanes() rejects anything but 1 to 16 hexadecimal digits", () => {
  for (const text of ["", "0x", "xyz", "-1", " 1", "1n", "0x10000000000000000"]) {
    assertThrows(
      () => parseLanes(text),
      SyntaxError,
      `Cannot parse spte '${text}': expected 1 to 16 hexadecimal digits, for example 0xfff00000fee00b4e`,
    );
  }
});

Deno.test("lanesToBigInt() undoes bigIntToLanes() for int32 and uint32 lanes", () => {
  fc.assert(fc.property(entry, (value) => {
    const { lo, hi } = bigIntToLanes(value);
    assertEquals([lo, hi], [lo | 0, hi | 0]);
    assertEquals(lanesToBigInt(lo, hi), value);
    assertEquals(lanesToBigInt(lo >>> 0, hi >>> 0), value);
  }));
});

Deno.test("bigIntToLanes() rejects what does not fit 64 unsigned bits", () => {
  assertThrows(() => bigIntToLanes(-1n), RangeError, "Cannot split -1 into lanes: expected 0 to 2^64 - 1");
  assertThrows(() => bigIntToLanes(2n ** 64n), RangeError, "into lanes");
});

Deno.test("addressLo() and addressHi() are the lanes of pfn << 12, and pfnOfLanes() undoes them", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 - 1 }), (pfn) => {
    assertEquals(lanesToBigInt(addressLo(pfn), addressHi(pfn)), BigInt(pfn) << 12n);
    assertEquals(pfnOfLanes(addressLo(pfn), addressHi(pfn)), pfn);
  }));
});

Deno.test("pfnOfLanes() ignores the bits around 51:12", () => {
  assertEquals(pfnOfLanes(-1, -1), 2 ** 40 - 1);
  assertEquals(pfnOfLanes(0xfff, 0xfff00000), 0);
});
