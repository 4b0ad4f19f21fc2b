import { assert, assertEquals } from "@std/assert";
import { PFERR_WRITE } from "../fault/pferr.ts";
import { A, D, GuestWorld, PWU } from "../testdata/guest_world.ts";
import { PAGING_32BIT } from "./format.ts";
import { gpteChanged, tableAccess } from "./gpte_changed.ts";
import { WALK_RULES_3_11, WALK_RULES_6_1 } from "./walk_rules.ts";

const FRESH = [PWU, PWU, PWU, 0x12345000n | PWU];

Deno.test("updateAccessedDirtyBits() is idempotent: the second walk writes nothing", () => {
  const world = new GuestWorld({ traced: true }).link(...FRESH);
  assert(world.walk(PFERR_WRITE));
  const after = world.memory.lanes.slice();
  world.memory.dirty.fill(0);
  assert(world.walk(PFERR_WRITE));
  assertEquals(world.memory.lanes, after);
  assertEquals(world.memory.dirty.indexOf(1), -1);
  assertEquals(world.events.filter((event) => event.includes("_bit: ")).length, 5);
});

Deno.test("updateAccessedDirtyBits() in 4-byte entries", () => {
  const world = new GuestWorld({ paging: { format: PAGING_32BIT } }).link(PWU, 0x12345000n | PWU);
  assert(world.walk(PFERR_WRITE));
  assertEquals([world.get(2) & 0xfffn, world.get(1) & 0xfffn], [PWU | A, PWU | A | D]);
});

Deno.test("gpteChanged() compares with what the walk itself has written", () => {
  const world = new GuestWorld().link(...FRESH);
  assert(world.walk(PFERR_WRITE));
  for (const level of [4, 3, 2, 1]) assert(!gpteChanged(world.mmu, world.walker, level), `level ${level}`);
  world.set(2, world.get(2) | (1n << 62n));
  assert(gpteChanged(world.mmu, world.walker, 2));
  world.set(3, world.get(3) & ~D);
  assert(!gpteChanged(world.mmu, world.walker, 3));
});

Deno.test("updateAccessedDirtyBits() of 3.11 keeps copies one level too high, so that they look changed (B27)", () => {
  const world = new GuestWorld({ rules: WALK_RULES_3_11 }).link(PWU | A, PWU | A, PWU | A, 0x12345000n | PWU);
  assert(world.walk(0));
  // Only the leaf's bit was set: level 1 kept its old copy, and level 2 got that of level 1.
  assertEquals([4, 3, 2, 1].map((level) => gpteChanged(world.mmu, world.walker, level)), [false, false, true, true]);
  assertEquals(world.walker.pteLo(2), 0x12345027);
  assertEquals([world.walker.tableGfn(1), world.walker.ptAccess(1, world.mmu.role.format)], [world.tableOf(1), 7]);
  // When nothing is to be set, nothing goes astray.
  assert(world.walk(0));
  assertEquals([4, 3, 2, 1].map((level) => gpteChanged(world.mmu, world.walker, level)), [false, false, false, false]);
});

Deno.test("updateAccessedDirtyBits() of 3.11 loses the copy of the top level past the end (B27)", () => {
  const world = new GuestWorld({ rules: WALK_RULES_3_11 }).link(...FRESH);
  assert(world.walk(PFERR_WRITE));
  assertEquals([4, 3, 2, 1].map((level) => gpteChanged(world.mmu, world.walker, level)), [true, true, true, true]);
});

Deno.test("gpteChanged() says yes of memory that cannot be read any more", () => {
  const world = new GuestWorld().link(PWU | A, PWU | A, PWU | A, 0x12345000n | PWU | A);
  assert(world.walk(0));
  world.walker.places.fill(0x7ffff000);
  assert(gpteChanged(world.mmu, world.walker, 1));
});

Deno.test("tableAccess() is what all entries above the leaf allow, or, from 5.13 on, those above the table", () => {
  const entries = [PWU | A, PWU | A, (PWU | A) & ~2n, 0x12345000n | PWU | A];
  const access = (rules: typeof WALK_RULES_6_1) => {
    const world = new GuestWorld({ rules }).link(...entries);
    assert(world.walk(0));
    return [4, 3, 2, 1].map((level) => tableAccess(world.mmu, world.walker, level));
  };
  assertEquals(access(WALK_RULES_6_1), [7, 7, 7, 5]);
  assertEquals(access(WALK_RULES_3_11), [5, 5, 5, 5]);
});
