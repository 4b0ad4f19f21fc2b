import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  highWord,
  isCanonical,
  linearAddress,
  linearHi,
  linearLo,
  linearOffset,
  linearPage,
} from "./linear_address.ts";

/** Addresses of 57 bits with their sign. */
const CANONICAL = fc.bigInt(-(2n ** 56n), 2n ** 56n - 1n);

Deno.test("linear pages and offsets agree with 64-bit arithmetic, and their lanes with both halves", () => {
  fc.assert(fc.property(CANONICAL, (address) => {
    const bits = BigInt.asUintN(64, address);
    const page = Number(bits >> 12n);
    const offset = Number(bits & 0xfffn);
    assertEquals(BigInt(linearLo(page, offset) >>> 0), bits & 0xffffffffn);
    assertEquals(BigInt(linearHi(page) >>> 0), bits >> 32n);
    assertEquals(linearPage(linearAddress(page, offset)), page);
    assertEquals(BigInt(highWord(linearAddress(page, offset)) >>> 0), bits >> 32n);
    const isSmall = address >= -(2n ** 53n) && address < 2n ** 53n;
    assertEquals(BigInt(linearAddress(page, offset)), isSmall ? address : address & ~7n);
    if (isSmall) assertEquals([linearPage(Number(address)), linearOffset(Number(address))], [page, offset]);
    assert(isCanonical(page, 5));
    assertEquals(isCanonical(page, 4), address >= -(2n ** 47n) && address < 2n ** 47n);
  }));
});

Deno.test("linearPage() of the edges", () => {
  assertEquals(linearPage(-1), 2 ** 52 - 1);
  assertEquals(linearPage(-(2 ** 47)), 0xffff800000000);
  assertEquals(linearPage(2 ** 47 - 1), 0x7ffffffff);
  assertEquals(isCanonical(2 ** 35, 4), false);
  assertEquals(isCanonical(2 ** 44, 5), false);
  assertEquals(isCanonical(2 ** 52 - 2 ** 44 - 1, 5), false);
});
