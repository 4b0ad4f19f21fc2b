import { assert, assertFalse } from "@std/assert";
import { FrameRenaming } from "./frame_renaming.ts";
import { HIDDEN_FRAME } from "./mask_frames.ts";
import type { Place } from "./places.ts";

const table = (serial: number): Place => ({ kind: "table", serial });
const ram = (pfn: number, level = 1): Place => ({ kind: "ram", pfn, level });
/** Frame of a pointer where the kernel's direct map lies at its old place. */
const DIRECT_MAP = 0xffff880000000000 / 4096;

function allLive(): FrameRenaming {
  return new FrameRenaming(() => true);
}

Deno.test("FrameRenaming.match() gives a page of host memory one frame for good, and no other page the same", () => {
  const renaming = allLive();
  assert(renaming.match(ram(2), 0x10beac));
  assert(renaming.match(ram(2), 0x10beac));
  assertFalse(renaming.match(ram(2), 0x10bead));
  assertFalse(renaming.match(ram(3), 0x10beac));
});

Deno.test("FrameRenaming.match() takes a large page as a whole: its frames are contiguous", () => {
  const renaming = allLive();
  assert(renaming.match(ram(512, 2), 0x10c200));
  assert(renaming.match(ram(512 + 7), 0x10c207));
  assertFalse(renaming.match(ram(512 + 8), 0x10c209));
  assertFalse(renaming.match(ram(7), 0x10c208), "a frame of the large page");
  assertFalse(renaming.match(ram(1024, 2), 0x10c200));
  assertFalse(renaming.match(ram(1024, 2), 0x10c401), "not aligned as the model's");
});

Deno.test("FrameRenaming.match() holds a large page against the small ones of before", () => {
  const renaming = allLive();
  assert(renaming.match(ram(512 + 7), 0x10c207));
  assertFalse(renaming.match(ram(512, 2), 0x10c400));
  assert(renaming.match(ram(512, 2), 0x10c200));
});

Deno.test("FrameRenaming.match() takes 1 GiB for 512 large pages", () => {
  const renaming = allLive();
  assert(renaming.match(ram(2 ** 18, 3), 3 * 2 ** 18));
  assert(renaming.match(ram(2 ** 18 + 1024, 2), 3 * 2 ** 18 + 1024));
  assertFalse(renaming.match(ram(2 ** 18 + 1024, 2), 3 * 2 ** 18 + 512));
});

Deno.test("FrameRenaming.match() gives the frame of a shadow page to another only when it is gone", () => {
  const live = new Set([1, 2]);
  const renaming = new FrameRenaming((serial) => live.has(serial));
  assert(renaming.match(table(1), 0x13342f));
  assertFalse(renaming.match(table(2), 0x13342f));
  live.delete(1);
  assert(renaming.match(table(2), 0x13342f));
});

Deno.test("FrameRenaming.match() finds the direct map, and holds pointers against addresses", () => {
  const renaming = allLive();
  assert(renaming.match(table(1), 0x13342f));
  assert(renaming.match(table(1), DIRECT_MAP + 0x13342f));
  assert(renaming.match(table(2), 0x13342e));
  assertFalse(renaming.match(table(2), DIRECT_MAP + 0x13342d));
  assert(renaming.match(table(2), DIRECT_MAP + 0x13342e));
});

Deno.test("FrameRenaming.canMatch() wants a frame where there is a place, and none where there is none", () => {
  const renaming = allLive();
  assert(renaming.canMatch(undefined, undefined));
  assertFalse(renaming.canMatch(undefined, 7));
  assertFalse(renaming.canMatch(ram(7), undefined));
});

Deno.test("FrameRenaming.match() learns nothing from a pointer that the kernel hides", () => {
  const renaming = allLive();
  assert(renaming.match(table(1), HIDDEN_FRAME) && renaming.match(table(2), HIDDEN_FRAME));
  assertFalse(renaming.match(undefined, HIDDEN_FRAME));
});
