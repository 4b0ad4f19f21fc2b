import { ERAS } from "@mmu-lab/memslots";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { none } from "./none.ts";
import { STRATEGIES } from "./strategies.ts";

Deno.test("STRATEGIES makes each strategy under its own name, a new object each time", () => {
  for (const [name, { create, summary }] of Object.entries(STRATEGIES)) {
    const strategy = create(ERAS.G1);
    assertEquals(strategy.name, name);
    assert(summary.length > 0);
    assert(name === "none" || strategy.onMemslotUpdate !== undefined);
    assert(create(ERAS.G1) !== strategy);
  }
});

Deno.test("STRATEGIES makes strategies as wide as the era's generation", () => {
  for (const name of ["generation", "hybrid", "seedV2"]) {
    assertEquals(STRATEGIES[name].create(ERAS.G1).maxGeneration, 0x7ffff);
    assertEquals(STRATEGIES[name].create(ERAS.G2).maxGeneration, 0xfffff);
    assertEquals(STRATEGIES[name].create(ERAS.G7).maxGeneration, 0x3ffff);
  }
});

Deno.test("STRATEGIES throws where a strategy needs a number that the era does not store", () => {
  for (const name of ["generation", "hybrid", "seedV2"]) {
    assertThrows(() => STRATEGIES[name].create(ERAS.G0), RangeError, "MMIO sptes store no generation");
  }
  for (const name of ["fullWalk", "fullWalkEveryPage", "none"]) {
    assertEquals(STRATEGIES[name].create(ERAS.G0).maxGeneration, 0);
  }
});

Deno.test("none() trusts every MMIO spte for ever", () => {
  const strategy = none();
  const view = { generation: 17, updateInProgress: true };
  assertEquals(strategy.stamp(view, 1), 0);
  assert(strategy.isCurrent(0, view, 1));
  assertEquals(strategy.onMemslotUpdate, undefined);
});
