import { assertEquals, assertThrows } from "@std/assert";
import { CHECK_SCENARIOS, checkScenario } from "./scenarios.ts";

Deno.test("checkScenario() gives every vCPU the same accesses, and undoes every second update", () => {
  const { vcpus, updates, prelude } = checkScenario("delete", { vcpus: 3, updates: 3 });
  assertEquals(vcpus.length, 3);
  assertEquals(new Set(vcpus).size, 1);
  assertEquals(updates.map(({ size }) => size), [0, 4096, 0]);
  assertEquals(prelude.map(({ op }) => op), ["memslot", "access", "access", "access"]);
});

Deno.test("checkScenario() is of two vCPUs and one update unless told", () => {
  for (const [name, scenario] of Object.entries(CHECK_SCENARIOS)) {
    assertEquals(checkScenario(name), scenario);
    assertEquals([scenario.vcpus.length, scenario.updates.length], [2, 1]);
  }
});

Deno.test("checkScenario() refuses what it does not know", () => {
  assertThrows(() => checkScenario("creat"), RangeError, "Unknown scenario 'creat': expected one of create, ");
  assertThrows(() => checkScenario("create", { vcpus: 0 }), RangeError, "Cannot make 'create' with 0 vcpus");
  assertThrows(() => checkScenario("create", { updates: 1.5 }), RangeError, "with 1.5 updates");
});
