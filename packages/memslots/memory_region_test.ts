import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  type ClassifiedChange,
  classifyChange,
  EEXIST,
  EINVAL,
  ENOENT,
  type MemoryRegion,
  type MemslotLimits,
} from "./memory_region.ts";
import { MEM_LOG_DIRTY_PAGES, MEM_READONLY } from "./memslot.ts";
import { MemslotSet } from "./memslot_set.ts";

const LIMITS = { userSlots: 125, privateSlots: 3 };
const RAM: MemoryRegion = { id: 0, gpa: 0x100000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 };

function classify(set: MemslotSet, region: Partial<MemoryRegion>): ReturnType<typeof classifyChange> {
  return classifyChange(set, { ...RAM, ...region }, LIMITS);
}

function accepted(set: MemslotSet, region: Partial<MemoryRegion>): ClassifiedChange {
  const change = classify(set, region);
  assert(typeof change === "object", `refused with ${change}`);
  return change;
}

const NONE = new MemslotSet();
const ONE = NONE.with(accepted(NONE, {}).new!);
const LOGGED = NONE.with(accepted(NONE, { flags: MEM_LOG_DIRTY_PAGES }).new!);

Deno.test("classifyChange() tells the kinds of change apart", () => {
  const kinds: readonly (readonly [string, MemslotSet, Partial<MemoryRegion>])[] = [
    ["create", NONE, {}],
    ["create", ONE, { id: 1, gpa: 0x200000 }],
    ["delete", ONE, { size: 0 }],
    ["move", ONE, { gpa: 0x200000 }],
    ["move", ONE, { gpa: 0x200000, flags: MEM_LOG_DIRTY_PAGES }],
    ["flags", ONE, { flags: MEM_LOG_DIRTY_PAGES }],
    ["flags", LOGGED, {}],
    ["none", ONE, {}],
  ];
  for (const [kind, set, region] of kinds) assertEquals(accepted(set, region).kind, kind);
});

Deno.test("classifyChange() says what was and what will be", () => {
  const create = accepted(NONE, {});
  assertEquals(create.old, undefined);
  assertEquals([create.new!.baseGfn, create.new!.npages, create.new!.dirtyBitmap], [0x100, 0x10, null]);
  const old = ONE.byId(0)!;
  assertEquals(accepted(ONE, { size: 0 }), { kind: "delete", old, new: undefined });
  const move = accepted(ONE, { gpa: 0x200000 });
  assertStrictEquals(move.old, old);
  assertEquals(move.new!.baseGfn, 0x200);
  // 3.11 goes on with the limits of the old place.
  assertStrictEquals(move.new!.largePageLimits, old.largePageLimits);
});

Deno.test("classifyChange() makes a dirty bitmap when logging begins, keeps it, and drops it when logging ends", () => {
  const begun = accepted(ONE, { flags: MEM_LOG_DIRTY_PAGES }).new!;
  assertEquals(begun.dirtyBitmap!.length, 1);
  const moved = accepted(NONE.with(begun), { gpa: 0x200000, flags: MEM_LOG_DIRTY_PAGES }).new!;
  assertStrictEquals(moved.dirtyBitmap, begun.dirtyBitmap);
  assertEquals(accepted(NONE.with(begun), {}).new!.dirtyBitmap, null);
});

Deno.test("classifyChange() refuses what makes no sense with EINVAL", () => {
  const requests: Readonly<Record<string, Partial<MemoryRegion>>> = {
    "an unknown flag": { flags: 4 },
    "a size that is no multiple of a page": { size: 0x10001 },
    "a gpa that is no multiple of a page": { gpa: 0x100800 },
    "a host address that is no multiple of a page": { userspaceAddr: 0x7f0000000800 },
    "host memory beyond user space": { userspaceAddr: 2 ** 47 - 0x1000 },
    "a slot number beyond the last private one": { id: 128 },
    "a negative slot number": { id: -1 },
    "a gpa that wraps around": { gpa: 2 ** 64 - 0x3000, size: 0x3000 },
    "more pages than a slot may have": { size: 2 ** 31 * 4096 },
    "the delete of a slot that is not there": { id: 5, size: 0 },
  };
  for (const [what, region] of Object.entries(requests)) assertEquals(classify(ONE, region), EINVAL, what);
});

Deno.test("classifyChange() refuses to resize, to change the host address, or to toggle read-only with EINVAL", () => {
  assertEquals(classify(ONE, { size: 0x20000 }), EINVAL);
  assertEquals(classify(ONE, { userspaceAddr: 0x7f1000000000 }), EINVAL);
  assertEquals(classify(ONE, { flags: MEM_READONLY }), EINVAL);
});

Deno.test("classifyChange() lets the slots of KVM itself have any host address", () => {
  assertEquals(accepted(NONE, { id: 127, userspaceAddr: 0x123 }).kind, "create");
});

Deno.test("classifyChange() refuses to overlap another user slot with EEXIST", () => {
  for (const gpa of [0x100000, 0xff000, 0x10f000, 0xf1000]) {
    assertEquals(classify(ONE, { id: 1, gpa }), EEXIST, gpa.toString(16));
  }
  for (const gpa of [0xf0000, 0x110000]) assertEquals(accepted(ONE, { id: 1, gpa }).kind, "create");
  const two = ONE.with(accepted(ONE, { id: 1, gpa: 0x200000 }).new!);
  assertEquals(classify(two, { id: 1, gpa: 0x108000 }), EEXIST);
});

Deno.test("classifyChange() lets a move overlap the slot's own place, and anything overlap KVM's own slots", () => {
  assertEquals(accepted(ONE, { gpa: 0x101000 }).kind, "move");
  const withPrivate = ONE.with(accepted(ONE, { id: 127, gpa: 0x200000 }).new!);
  assertEquals(accepted(withPrivate, { id: 1, gpa: 0x200000 }).kind, "create");
});

Deno.test("classifyChange() works out anew where large pages may map a slot that moves, if the kernel does", () => {
  const region: MemoryRegion = { ...RAM, gpa: 0x200000, size: 0x400000 };
  const created = classifyChange(NONE, region, LIMITS) as ClassifiedChange;
  const set = NONE.with(created.new!);
  const misplaced = (limits: MemslotLimits) =>
    (classifyChange(set, { ...region, gpa: 0x201000 }, limits) as ClassifiedChange).new!.largePageLimits[0].all;
  assertEquals(created.new!.largePageLimits[0].all, false);
  assertEquals([misplaced(LIMITS), misplaced({ ...LIMITS, moveRenewsLargePages: true })], [false, true]);
});

Deno.test("classifyChange() looks in the kernel's order: EINVAL of any kind comes before EEXIST", () => {
  const two = ONE.with(accepted(ONE, { id: 1, gpa: 0x200000 }).new!);
  // Overlaps slot 0, and each is wrong in a way that is looked at earlier.
  const move = { id: 1, gpa: 0x100000 };
  assertEquals(classify(two, move), EEXIST);
  for (const wrong of [{ flags: 4 }, { flags: MEM_READONLY }, { size: 0x20000 }, { userspaceAddr: 0x7f1000000000 }]) {
    assertEquals(classify(two, { ...move, ...wrong }), EINVAL);
  }
  // A change of flags is not looked at for overlap at all.
  assertEquals(accepted(two, { flags: MEM_LOG_DIRTY_PAGES }).kind, "flags");
});

Deno.test("the errno values are Linux's", () => {
  assertEquals([EINVAL, EEXIST, ENOENT], [-22, -17, -2]);
});
