import { ERAS } from "@mmu-lab/memslots";
import { Execution, Lock, LockNotHeldError, run, Work } from "@mmu-lab/protocol";
import { assertEquals, assertThrows } from "@std/assert";
import { generation } from "./generation.ts";
import { ReferenceTables } from "./reference_tables.ts";
import { referenceWorld } from "./reference_world.ts";

Deno.test("referenceWorld() moves the generation as the era does: one publication or two", () => {
  const steps = (era: "G1" | "G2" | "G3" | "G8") => {
    const world = referenceWorld(generation(), ERAS[era]);
    const start = world.view.generation;
    const after: number[] = [];
    world.create(0, 4, 0);
    after.push(world.view.generation - start);
    world.flags(0);
    after.push(world.view.generation - start);
    world.move(0, 8);
    after.push(world.view.generation - start);
    world.delete(0);
    after.push(world.view.generation - start);
    return after;
  };
  assertEquals(steps("G1"), [1, 2, 4, 6]);
  assertEquals(steps("G2"), [2, 4, 8, 12]);
  assertEquals(steps("G3"), [4, 8, 16, 24]);
  assertEquals(steps("G8"), [2, 4, 8, 12]);
});

Deno.test("referenceWorld() answers from the spte, and counts slow faults", () => {
  const world = referenceWorld(generation(), ERAS.G1);
  const { counts } = world.counters;
  assertEquals(world.access(5), "mmio");
  assertEquals(world.access(5), "mmio");
  assertEquals([counts[Work.slowFaults], counts[Work.mmioFastHits], counts[Work.mmioRefaults]], [1, 1, 0]);
  world.create(100, 1, 0);
  assertEquals(world.access(5), "mmio");
  assertEquals([counts[Work.slowFaults], counts[Work.mmioFastHits], counts[Work.mmioRefaults]], [2, 1, 1]);
});

Deno.test("referenceWorld() throws when a slot to change is not there", () => {
  const world = referenceWorld(generation(), ERAS.G1);
  assertThrows(() => world.delete(3), RangeError, "Cannot change slot 3");
});

function tables(): { execution: Execution; lock: Lock; tables: ReferenceTables } {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  return { execution, lock, tables: new ReferenceTables(lock, execution.counters) };
}

Deno.test("ReferenceTables asserts the lock wherever the contract asks for it", () => {
  const { tables: control } = tables();
  assertThrows(() => control.write(0, 1), LockNotHeldError);
  assertThrows(() => control.zapRam(0, 1), LockNotHeldError);
  assertThrows(() => control.zapMmioPages("every-page"), LockNotHeldError);
  assertThrows(() => control.sweepMmioSptes(1, () => true), LockNotHeldError);
});

Deno.test("ReferenceTables.sweepMmioSptes() goes on where it stopped, and says when a pass is complete", () => {
  const { lock, tables: control } = tables();
  lock.acquire.take(0);
  for (let page = 0; page < 5; page++) control.write(8 * page, page);
  const seen: number[] = [];
  const look = (stored: number) => {
    seen.push(stored);
    return stored === 3;
  };
  assertEquals(control.sweepMmioSptes(2, look), false);
  assertEquals(control.sweepMmioSptes(2, look), false);
  assertEquals(control.sweepMmioSptes(2, look), true);
  assertEquals(control.sweepMmioSptes(100, look), true);
  assertEquals(seen, [0, 1, 2, 3, 4, 0, 1, 2, 4]);
  assertEquals(control.pagesWithMmio, 4);
  assertThrows(() => control.sweepMmioSptes(0, look), RangeError);
});

Deno.test("ReferenceTables.zapAll() gives up the lock after every ten pages", () => {
  const { execution, lock, tables: control } = tables();
  lock.acquire.take(0);
  for (let page = 0; page < 25; page++) control.write(8 * page, 0);
  lock.release.take(0);
  const before = execution.counters.counts[Work.lockAcquisitions];
  run(execution, control.zapAll());
  assertEquals(execution.counters.counts[Work.lockAcquisitions] - before, 3);
  assertEquals(control.read(0), undefined);
  assertEquals(control.sweepLength, 25);
});
