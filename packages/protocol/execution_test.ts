import { assertEquals, assertNotEquals } from "@std/assert";
import { Execution } from "./execution.ts";

Deno.test("Execution keeps no digests until it is asked to", () => {
  const execution = new Execution();
  execution.observe(1);
  assertEquals(execution.observed(0), 0);
});

Deno.test("Execution digests what each actor has observed, apart from the others", () => {
  const execution = new Execution();
  execution.keepObservations(2);
  const blank = execution.observed(0);
  assertEquals(execution.observed(1), blank);
  execution.observe(1);
  assertNotEquals(execution.observed(0), blank);
  assertEquals(execution.observed(1), blank);
  execution.actor = 1;
  execution.observe(1);
  assertEquals(execution.observed(1), execution.observed(0));
  execution.forget();
  assertEquals(execution.observed(1), blank);
  assertNotEquals(execution.observed(0), blank);
});

Deno.test("Execution ignores what actors beyond those asked for observe", () => {
  const execution = new Execution();
  execution.keepObservations(1);
  execution.actor = 1000;
  execution.observe(1);
  execution.forget();
  assertEquals(execution.actor, 1000);
});

Deno.test("Execution.beginAnew() forgets what a loop has observed, and nothing before it", () => {
  const execution = new Execution();
  execution.keepObservations(1);
  const loop = (times: number) => {
    execution.forget();
    execution.observe(1);
    const before = execution.observed(0);
    for (let i = 0; i < times; i++) {
      execution.beginAnew(before);
      execution.observe(i);
    }
    execution.beginAnew(before);
    return execution.observed(0);
  };
  assertEquals(loop(3), loop(0));
  execution.observe(2);
  assertNotEquals(execution.observed(0), loop(0));
});

Deno.test("Execution.keepOnly() forgets all but two numbers", () => {
  const execution = new Execution();
  execution.keepOnly(1, 2);
  assertEquals(execution.observed(0), 0);
  execution.keepObservations(1);
  const kept = (first: number, ...rest: [number?]) => {
    execution.observe(first * 7);
    execution.keepOnly(first, ...rest);
    return execution.observed(0);
  };
  assertEquals(kept(1, 2), kept(1, 2));
  assertEquals(kept(1), kept(1, 0));
  assertNotEquals(kept(1, 2), kept(1));
  assertNotEquals(kept(1, 2), kept(2, 1));
});
