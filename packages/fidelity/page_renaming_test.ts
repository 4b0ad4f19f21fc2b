import { assert, assertEquals, assertFalse } from "@std/assert";
import { PageRenaming } from "./page_renaming.ts";

Deno.test("PageRenaming.match() binds a page to one frame for good", () => {
  const renaming = new PageRenaming(() => true);
  assert(renaming.match(1, 0x39b4f));
  assert(renaming.match(1, 0x39b4f));
  assertFalse(renaming.match(1, 0x39b50));
});

Deno.test("PageRenaming.match() gives a frame to another page only when the first is gone", () => {
  const live = new Set([1, 2]);
  const renaming = new PageRenaming((serial) => live.has(serial));
  assert(renaming.match(1, 0x39b4f));
  assertFalse(renaming.match(2, 0x39b4f));
  live.delete(1);
  assert(renaming.match(2, 0x39b4f));
});

Deno.test("PageRenaming.canMatch() binds nothing", () => {
  const renaming = new PageRenaming(() => true);
  assert(renaming.canMatch(1, 7));
  assert(renaming.canMatch(1, 8));
});

Deno.test("PageRenaming.sweep() forgets pages that are gone, when there are many, and no others", () => {
  const alive = (serial: number) => serial % 100 === 0;
  const renaming = new PageRenaming(alive);
  for (let serial = 0; serial < 500; serial++) renaming.match(serial, 1000 + serial);
  renaming.sweep();
  assertEquals(renaming.frameOf(499), 1499);
  for (let serial = 500; serial < 2000; serial++) renaming.match(serial, 1000 + serial);
  renaming.sweep();
  assertEquals([renaming.frameOf(499), renaming.frameOf(1900)], [undefined, 2900]);
  assertFalse(renaming.canMatch(5000, 2900));
});
