import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Histogram } from "./histogram.ts";

const values = fc.array(fc.oneof(fc.nat(3000), fc.nat(), fc.maxSafeNat().map((value) => value % 2 ** 44)), {
  minLength: 1,
  maxLength: 200,
});

function histogramOf(numbers: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of numbers) histogram.record(value);
  return histogram;
}

Deno.test("Histogram.percentile() is a bound of the nearest rank from above, off by less than 1 in 512", () => {
  fc.assert(fc.property(values, fc.constantFrom(0, 1, 50, 90, 99, 99.9, 100), (numbers, percent) => {
    const sorted = numbers.toSorted((a, b) => a - b);
    const exact = sorted[Math.max(1, Math.ceil((percent * numbers.length) / 100)) - 1];
    const bound = histogramOf(numbers).percentile(percent);
    assert(bound >= exact && bound - exact <= exact / 512, `${bound} for ${exact}`);
    if (exact < 1024) assertEquals(bound, exact);
  }));
});

Deno.test("Histogram keeps count, sum, minimum and maximum exactly", () => {
  fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 50 }), (numbers) => {
    const { count, sum, min, max } = histogramOf(numbers);
    assertEquals([count, sum], [numbers.length, numbers.reduce((a, b) => a + b, 0)]);
    if (count > 0) assertEquals([min, max], [Math.min(...numbers), Math.max(...numbers)]);
  }));
});

Deno.test("Histogram.merge() is as if all values had been recorded in one", () => {
  fc.assert(fc.property(values, values, (some, more) => {
    const merged = histogramOf(some);
    merged.merge(histogramOf(more));
    merged.merge(new Histogram());
    assertEquals(merged.toJSON(), histogramOf([...some, ...more]).toJSON());
  }));
});

Deno.test("Histogram without values is all zeros", () => {
  assertEquals(new Histogram().toJSON(), { count: 0, sum: 0, min: 0, p50: 0, p99: 0, p999: 0, max: 0 });
});

Deno.test("Histogram.record() rejects what is not a non-negative integer", () => {
  for (const value of [-1, 0.5, NaN, Infinity]) assertThrows(() => new Histogram().record(value), RangeError);
});
