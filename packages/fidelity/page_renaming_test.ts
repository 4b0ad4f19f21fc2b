import { assert, assertFalse } from "@std/assert";
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
