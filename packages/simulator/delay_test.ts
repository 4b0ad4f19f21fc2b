import { assertEquals, assertThrows } from "@std/assert";
import { Execution, type Protocol, run } from "@mmu-lab/protocol";
import { delay } from "./delay.ts";

Deno.test("delay() is a point to other schedulers", () => {
  function* sleeper(): Protocol<string> {
    yield delay(1000);
    return "awake";
  }
  assertEquals(run(new Execution(), sleeper()), "awake");
});

Deno.test("delay() rejects what is not a non-negative integer", () => {
  for (const cycles of [-1, 1.5, NaN, Infinity]) assertThrows(() => delay(cycles), RangeError, "Cannot wait");
});
