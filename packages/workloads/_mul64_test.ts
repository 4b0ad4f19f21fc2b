import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { hexOf, mul64, wordsOf } from "./_mul64.ts";

const u64 = () => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const words = (value: bigint) => [Number(value & 0xffffffffn), Number(value >> 32n)] as const;

Deno.test("mul64() agrees with BigInt", () => {
  fc.assert(fc.property(u64(), u64(), (a, b) => {
    assertEquals(mul64(words(a), words(b)), words(BigInt.asUintN(64, a * b)));
  }));
});

Deno.test("mul64() agrees with BigInt at the edges", () => {
  for (const a of [0n, 1n, 0xffffn, 0xffffffffn, 2n ** 64n - 1n]) {
    for (const b of [0n, 1n, 0xffff0000n, 2n ** 64n - 1n]) {
      assertEquals(mul64(words(a), words(b)), words(BigInt.asUintN(64, a * b)));
    }
  }
});

Deno.test("hexOf() tells the low bytes of each size", () => {
  fc.assert(fc.property(u64(), fc.integer({ min: 1, max: 8 }), (value, size) => {
    assertEquals(hexOf(words(value), size), "0x" + BigInt.asUintN(8 * size, value).toString(16));
  }));
});

Deno.test("wordsOf() splits a number below 2^53", () => {
  assertEquals(wordsOf(0x1f_ffff_ffff_fff0), [0xfffffff0, 0x1fffff]);
});
