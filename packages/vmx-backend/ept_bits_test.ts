import { assertEquals } from "@std/assert";
import { eptBits } from "./ept_bits.ts";

Deno.test("eptBits() has accessed and dirty bits only where the processor keeps them", () => {
  const { executable, user, noExecuteHi, memoryType, ...ad } = eptBits(true);
  assertEquals([executable, user, noExecuteHi, memoryType], [4, 0, 0, 0x70]);
  assertEquals([ad.accessed, ad.dirty, ad.table], [0x100, 0x200, 0x107]);
  const noAd = eptBits(false);
  assertEquals([noAd.accessed, noAd.dirty, noAd.table], [0, 0, 7]);
});
