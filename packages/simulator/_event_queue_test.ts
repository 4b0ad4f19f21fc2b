import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventQueue } from "./_event_queue.ts";

Deno.test("EventQueue gives out the earliest first, and of equals the lowest number", () => {
  fc.assert(fc.property(fc.array(fc.nat(9), { maxLength: 40 }), (times) => {
    const clocks = Float64Array.from(times);
    const queue = new EventQueue(clocks);
    for (const actor of times.keys()) queue.push(actor);
    const expected = [...times.keys()].sort((a, b) => times[a] - times[b] || a - b);
    assertEquals(times.map(() => queue.pop()), expected);
    assertEquals(queue.size, 0);
  }));
});

Deno.test("EventQueue takes actors back at a later time", () => {
  const clocks = Float64Array.of(0, 5, 3);
  const queue = new EventQueue(clocks);
  for (const actor of [0, 1, 2]) queue.push(actor);
  assertEquals(queue.pop(), 0);
  clocks[0] = 4;
  queue.push(0);
  assertEquals([queue.pop(), queue.pop(), queue.pop()], [2, 0, 1]);
});
