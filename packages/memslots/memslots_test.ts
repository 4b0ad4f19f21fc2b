import { assertEquals, assertStrictEquals } from "@std/assert";
import { type EraName, ERAS, mmioGeneration } from "./era.ts";
import { MemslotSet } from "./memslot_set.ts";
import { Memslots } from "./memslots.ts";

/** Generation and in-progress mark before an update, after its publication, and at its end. */
function update(era: EraName, asId = 0): (number | boolean)[] {
  const memslots = new Memslots(asId, ERAS[era].memslots);
  const next = memslots.nextGeneration;
  const seen: (number | boolean)[] = [memslots.generation, memslots.updateInProgress];
  memslots.publish(new MemslotSet());
  seen.push(memslots.generation, memslots.updateInProgress);
  memslots.complete();
  seen.push(memslots.generation, memslots.updateInProgress);
  assertEquals(memslots.generation, next);
  return seen;
}

Deno.test("Memslots moves the generation by one at publication until 3.16, and marks nothing", () => {
  for (const era of ["G0", "G1", "G1b"] as const) assertEquals(update(era), [0, false, 1, false, 1, false]);
});

Deno.test("Memslots is odd while in flux from 3.17 on, and starts at -150", () => {
  assertEquals(update("G2"), [-150, false, -149, true, -148, false]);
});

Deno.test("Memslots moves by four an update from 4.11 on, a start for each address space", () => {
  assertEquals(update("G3", 0), [-150, false, -149, true, -146, false]);
  assertEquals(update("G3", 1), [-148, false, -147, true, -144, false]);
});

Deno.test("Memslots marks an update by a flag from 5.1 on, and moves when it is complete", () => {
  for (const era of ["G7", "G8"] as const) {
    assertEquals(update(era, 0), [0, false, 0, true, 2, false]);
    assertEquals(update(era, 1), [1, false, 1, true, 3, false]);
  }
});

Deno.test("Memslots.publish() makes the new set visible at once", () => {
  const memslots = new Memslots(0, ERAS.G1.memslots);
  const set = new MemslotSet();
  memslots.publish(set);
  assertStrictEquals(memslots.active, set);
});

Deno.test("Memslots begins in flux where a negative start meets the flag in bit 63, until an update ends (B10)", () => {
  const rule = { ...ERAS.G8.memslots, start: () => -150 };
  const memslots = new Memslots(0, rule);
  assertEquals(memslots.updateInProgress, true);
  assertEquals(mmioGeneration(ERAS.G8.mmio!, memslots.generation), 0x7ff6a);
  memslots.publish(new MemslotSet());
  memslots.complete();
  assertEquals(memslots.updateInProgress, false);
  assertEquals(mmioGeneration(ERAS.G8.mmio!, memslots.generation), 0x7ff6c);
});
