import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { StateHasher } from "./state_hasher.ts";

function hash(numbers: readonly number[]): number {
  const hasher = new StateHasher();
  for (const number of numbers) hasher.add(number);
  return hasher.value;
}

Deno.test("StateHasher gives a non-negative safe integer that depends on what was added, and in which order", () => {
  fc.assert(fc.property(fc.array(fc.double(), { maxLength: 8 }), (numbers) => {
    const value = hash(numbers);
    assert(Number.isSafeInteger(value) && value >= 0);
    assertEquals(hash(numbers), value);
    assertNotEquals(hash([...numbers, 0]), value);
  }));
  assertNotEquals(hash([1, 2]), hash([2, 1]));
  assertNotEquals(hash([-1]), hash([2 ** 32 - 1]));
});

Deno.test("StateHasher tells a hundred thousand small states apart", () => {
  const seen = new Set<number>();
  for (let a = 0; a < 100; a++) for (let b = 0; b < 50; b++) for (let c = 0; c < 20; c++) seen.add(hash([a, b, c]));
  assertEquals(seen.size, 100_000);
});

Deno.test("StateHasher.addText() tells where one text ends and the next begins", () => {
  const text = (...parts: string[]) => parts.reduce((hasher, part) => hasher.addText(part), new StateHasher()).value;
  assertNotEquals(text("ab", "c"), text("a", "bc"));
  assertEquals(text("ab", "c"), text("ab", "c"));
});

Deno.test("StateHasher.reset() begins anew, and add() can be chained", () => {
  const hasher = new StateHasher();
  const empty = hasher.value;
  assertStrictEquals(hasher.add(1).add(2), hasher);
  hasher.reset();
  assertEquals(hasher.value, empty);
});
