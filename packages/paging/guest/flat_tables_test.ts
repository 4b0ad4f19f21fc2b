import { assertEquals } from "@std/assert";
import { FlatTables } from "./flat_tables.ts";

Deno.test("FlatTables reads what was written, 8 or 4 bytes, where it finds the table", () => {
  const tables = new FlatTables(2);
  tables.write8(1, 511, -2, 0x7fffffff);
  assertEquals(tables.read8(1, 511), [-2, 0x7fffffff]);
  assertEquals(tables.find(0x1fff, 0x7ff00000), 1024);
  assertEquals([...tables.lanes.subarray(1024 + 1022, 1024 + 1024)], [-2, 0x7fffffff]);
  tables.write4(0, 1023, 5);
  assertEquals([tables.read4(0, 1023), tables.find(0, 0)], [5, 0]);
});

Deno.test("FlatTables has nothing outside", () => {
  const tables = new FlatTables(2);
  for (const [lo, hi] of [[0x2000, 0], [-4096, 0], [0, 1], [0x1000, 0xfffff]]) assertEquals(tables.find(lo, hi), -1);
});

Deno.test("FlatTables.compareExchange8() and 4() replace only what is still there", () => {
  const tables = new FlatTables(2);
  tables.write8(1, 3, 1, 2);
  assertEquals(tables.compareExchange8(0x1000, 0, 3, 1, 3, 9, 9), 1);
  assertEquals(tables.compareExchange8(0x1000, 0, 3, 0, 2, 9, 9), 1);
  assertEquals(tables.compareExchange8(0x1000, 0, 3, 1, 2, 3, 4), 0);
  assertEquals(tables.read8(1, 3), [3, 4]);
  assertEquals([tables.compareExchange4(0x1000, 0, 7, 3, 1), tables.compareExchange4(0x1000, 0, 7, 4, 1)], [1, 0]);
  assertEquals(tables.isWritable(0x1000, 0), true);
});

Deno.test("FlatTables.markPageDirty() is kept by frame", () => {
  const tables = new FlatTables(3);
  tables.markPageDirty(1);
  assertEquals([...tables.dirty], [0, 1, 0]);
});

Deno.test("FlatTables cannot exchange an entry of a table that is not there", () => {
  const tables = new FlatTables(2);
  assertEquals(tables.compareExchange8(0x2000, 0, 0, 0, 0, 1, 0), -1);
  assertEquals(tables.compareExchange4(0x2000, 0, 0, 0, 1), -1);
});
