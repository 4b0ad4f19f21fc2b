import { assert, assertEquals } from "@std/assert";
import { WORK_KINDS } from "@mmu-lab/protocol";
import { COST_PRESETS, costsOf } from "./cost_presets.ts";

for (const preset of Object.values(COST_PRESETS)) {
  Deno.test(`COST_PRESETS ${preset.name} has a cost with a source for every kind of work`, () => {
    assertEquals(Object.keys(preset.costs).sort(), WORK_KINDS.map(({ name }) => name).sort());
    for (const { cycles, source } of Object.values(preset.costs)) {
      assert(Number.isSafeInteger(cycles) && cycles >= 0 && source.length > 0);
    }
  });
}

Deno.test("COST_PRESETS nehalem-2011: an exit and its entry cost the 2,000 cycles of SplitX", () => {
  const { exits, guestEntries } = costsOf(COST_PRESETS["nehalem-2011"]);
  assertEquals(exits + guestEntries, 2000);
});

Deno.test("COST_PRESETS epyc-2020: an exit lies in Roth's 1,344 to 1,376 cycles, KVM_RUN in his 2,528 to 2,576", () => {
  const { exits, guestEntries, userspaceExits } = costsOf(COST_PRESETS["epyc-2020"]);
  const exit = exits + guestEntries;
  assert(exit >= 1344 && exit <= 1376 && exit + userspaceExits >= 2528 && exit + userspaceExits <= 2576);
});

Deno.test("COST_PRESETS nehalem-2011: a walk over the leaf tables of 4 GiB takes Yoshikawa's 50 us at 2.93 GHz", () => {
  const micros = (2048 * costsOf(COST_PRESETS["nehalem-2011"]).pagesVisited) / 2930;
  assert(Math.abs(micros - 50) < 0.5, `${micros} us`);
});

Deno.test("costsOf() takes changes", () => {
  assertEquals(costsOf(COST_PRESETS["epyc-2020"], { exits: 1 }).exits, 1);
});
