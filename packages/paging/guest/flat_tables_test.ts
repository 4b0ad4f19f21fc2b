import { assertEquals } from "@std/assert";
import { FlatTables } from "./flat_tables.ts";

Deno.test("FlatTables reads what was written, 8 or 4 bytes", () => {
  const tables = new FlatTables(2);
  tables.write8(1, 511, -2, 0x7fffffff);
  assertEquals(tables.read8(0x1fff, 0x7ff00000, 511) >= 0, true);
  assertEquals([tables.lo, tables.hi], [-2, 0x7fffffff]);
  tables.write4(0, 1023, 5);
  assertEquals(tables.read4(0, 0, 1023) >= 0, true);
  assertEquals([tables.lo, tables.hi], [5, 0]);
});

Deno.test("FlatTables has nothing outside", () => {
  const tables = new FlatTables(2);
  for (const [lo, hi] of [[0x2000, 0], [-4096, 0], [0, 1], [0x1000, 0xfffff]]) {
    assertEquals([tables.read8(lo, hi, 0), tables.read4(lo, hi, 0)], [-1, -1]);
  }
});

Deno.test("FlatTables.compareExchange8() and 4() replace only what is still there", () => {
  const tables = new FlatTables(1);
  tables.write8(0, 3, 1, 2);
  const at = tables.read8(0, 0, 3);
  assertEquals(tables.compareExchange8(at, 1, 3, 9, 9), 1);
  assertEquals(tables.compareExchange8(at, 0, 2, 9, 9), 1);
  assertEquals(tables.compareExchange8(at, 1, 2, 3, 4), 0);
  tables.read8(0, 0, 3);
  assertEquals([tables.lo, tables.hi], [3, 4]);
  const half = tables.read4(0, 0, 7);
  assertEquals([tables.compareExchange4(half, 3, 1), tables.compareExchange4(half, 4, 1)], [1, 0]);
  assertEquals(tables.isWritable(at), true);
});

Deno.test("FlatTables.markPageDirty() is kept by frame", () => {
  const tables = new FlatTables(3);
  tables.markPageDirty(1);
  assertEquals([...tables.dirty], [0, 1, 0]);
});
