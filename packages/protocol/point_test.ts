import { assert, assertEquals } from "@std/assert";
import { point } from "./point.ts";

Deno.test("point() makes a frozen step that never waits and changes nothing", () => {
  const step = point("read memslots->generation");
  assertEquals(step.name, "read memslots->generation");
  assert(Object.isFrozen(step));
  assert(step.enabled(0));
  step.take(0);
  assert(step.enabled(1));
});
