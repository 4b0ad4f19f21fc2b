import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { align } from "./align.ts";

function alignText(left: string, right: string): string {
  return align(left.length, right.length, (l, r) => left[l] === right[r])
    .map(({ left: l, right: r }) => `${left[l] ?? "-"}${right[r] ?? "-"}`)
    .join(" ");
}

Deno.test("align() pairs equal sequences one to one", () => {
  assertEquals(alignText("abc", "abc"), "aa bb cc");
});

Deno.test("align() counts one that is missing once", () => {
  assertEquals(alignText("abcd", "abd"), "aa bb c- dd");
  assertEquals(alignText("abd", "abcd"), "aa bb -c dd");
});

Deno.test("align() keeps as many pairs as possible when the middle differs", () => {
  assertEquals(alignText("axbycz", "a1b2c3"), "aa x- -1 bb y- -2 cc z- -3");
});

Deno.test("align() mentions every element of both sequences exactly once, in order", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 12 });
  fc.assert(fc.property(text, text, (left, right) => {
    const pairs = align(left.length, right.length, (l, r) => left[l] === right[r]);
    assertEquals(pairs.map(({ left: l }) => l).filter((l) => l >= 0), [...left].map((_, i) => i));
    assertEquals(pairs.map(({ right: r }) => r).filter((r) => r >= 0), [...right].map((_, i) => i));
  }));
});
