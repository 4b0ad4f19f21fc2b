import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatSchedule, parseSchedule } from "./schedule.ts";

Deno.test("formatSchedule() writes letters and counts", () => {
  assertEquals(formatSchedule([0, 0, 0, 1, 0]), "a3ba");
  assertEquals(formatSchedule([]), "");
});

Deno.test("parseSchedule() reads what formatSchedule() writes", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 25 })), (choices) => {
    assertEquals(parseSchedule(formatSchedule(choices), 26), choices);
  }));
});

Deno.test("parseSchedule() names the place and the actors that there are", () => {
  assertThrows(() => parseSchedule("a3c", 2), SyntaxError, "at 'c': expected a letter from a to b");
  assertThrows(() => parseSchedule("a3 b", 2), SyntaxError, "at ' b'");
});
