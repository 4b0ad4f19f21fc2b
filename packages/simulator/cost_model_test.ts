import { assertEquals, assertThrows } from "@std/assert";
import { Work, WorkCounters } from "@mmu-lab/protocol";
import { CostMeter } from "./cost_model.ts";
import { COST_PRESETS, costsOf } from "./cost_presets.ts";

const COSTS = costsOf(COST_PRESETS["nehalem-2011"], { exits: 7, sptesVisited: 2 });

Deno.test("CostMeter.total() is what all work so far costs", () => {
  const counters = new WorkCounters();
  const meter = new CostMeter(counters, COSTS);
  assertEquals(meter.total(), 0);
  counters.counts[Work.exits] = 3;
  counters.counts[Work.sptesVisited] = 512;
  assertEquals(meter.total(), 3 * 7 + 512 * 2);
});

Deno.test("CostMeter rejects costs that are not non-negative integers", () => {
  for (const exits of [-1, 0.5, NaN]) {
    assertThrows(() => new CostMeter(new WorkCounters(), { ...COSTS, exits }), RangeError, "for exits");
  }
});
