import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { auditStates } from "./audit_states.ts";
import { counterWorld } from "./testdata/toy_worlds.ts";
import type { WorldFactory } from "./world.ts";

Deno.test("auditStates() finds nothing in worlds that hash and observe what they must", () => {
  const { pairs, mismatch } = auditStates(counterWorld(3, false), 200, 1);
  assertEquals(mismatch, undefined);
  assert(pairs > 10);
});

Deno.test("auditStates() notices an actor that does not say what it has observed", () => {
  const silent: WorldFactory = () => {
    const world = counterWorld(2, false)();
    world.execution.observe = () => {};
    return world;
  };
  const { mismatch } = auditStates(silent, 500, 1);
  assertStringIncludes(mismatch!.difference, "an update was lost");
});

Deno.test("auditStates() notices a world that does not hash what is shared", () => {
  const careless: WorldFactory = () => ({ ...counterWorld(3, false)(), hashInto: () => {} });
  assert(auditStates(careless, 500, 1).mismatch !== undefined);
});
