import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Execution } from "./execution.ts";
import { Lock } from "./lock.ts";
import { point } from "./point.ts";
import { DeadlockError, run } from "./run.ts";
import type { Protocol } from "./step.ts";

const HERE = point("here");

Deno.test("run() drives a protocol to its end and returns its result", () => {
  function* count(to: number): Protocol<number> {
    for (let i = 0; i < to; i++) yield HERE;
    return to;
  }
  assertEquals(run(new Execution(), count(5)), 5);
});

Deno.test("run() takes the steps as the actor that it is told, 0 unless told", () => {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  function* owner(): Protocol<number> {
    yield lock.acquire;
    const holder = lock.owner;
    lock.assertHeld("look");
    yield lock.release;
    return holder;
  }
  assertEquals(run(execution, owner()), 0);
  assertEquals(run(execution, owner(), 7), 7);
  assertEquals(execution.actor, 7);
});

Deno.test("run() throws when a step has to wait, for nobody would end the wait", () => {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  function* twice(): Protocol<void> {
    yield lock.acquire;
    yield lock.acquire;
  }
  const error = assertThrows(() => run(execution, twice(), 3), DeadlockError);
  assertEquals(error.message, "Cannot go on: actor 3 waits for ever at 'acquire mmu_lock'");
  assertEquals([error.actor, error.step], [3, "acquire mmu_lock"]);
});

Deno.test("run() lets an error of the protocol through", () => {
  const oops = new RangeError("oops");
  function* fails(): Protocol<void> {
    yield HERE;
    throw oops;
  }
  assertStrictEquals(assertThrows(() => run(new Execution(), fails())), oops);
});
