import { assertEquals } from "@std/assert";
import { Execution, type Protocol } from "@mmu-lab/protocol";
import { COST_PRESETS, costsOf } from "./cost_presets.ts";
import { delay } from "./delay.ts";
import { throughputOf } from "./report.ts";
import { simulate } from "./simulate.ts";
import type { Clock } from "./world.ts";

Deno.test("throughputOf() counts until the last who recorded any was done", () => {
  const worker = (cycles: number) =>
    function* (clock: Clock): Protocol<void> {
      yield delay(cycles);
      clock.record("work", cycles);
    };
  function* other(): Protocol<void> {
    yield delay(1_000_000);
  }
  const actors = [
    { name: "A", start: worker(100) },
    { name: "B", start: worker(400) },
    { name: "C", start: other },
  ];
  const report = simulate({ execution: new Execution(), actors, locks: [] }, {
    costs: costsOf(COST_PRESETS["epyc-2020"]),
  });
  assertEquals(throughputOf(report, "work"), 5000);
  assertEquals(throughputOf(report, "nothing of the kind"), 0);
});
