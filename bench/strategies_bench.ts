/**
 * The race by wall clock: every scenario under every strategy, and once more with what it takes to set up.
 *
 * @module
 */
import { CONTENDERS } from "./contenders.ts";
import { populatedVm } from "./populated_vm.ts";
import { Race } from "./race.ts";
import { SCENARIOS } from "./scenarios.ts";

for (const scenario of SCENARIOS) {
  const { name, operations, rounds } = scenario;
  for (const contender of CONTENDERS) {
    const race = new Race(scenario, contender);
    Deno.bench({
      group: operations > 1 ? `${name} x ${operations}` : name,
      baseline: contender === CONTENDERS[0],
      name: contender.name,
      n: rounds,
      warmup: rounds / 5,
      fn: (b) => race.round(() => b.start(), () => b.end()),
    });
  }
}

// What a strategy could hide in its set-up shows here: everything from nothing to the end of one round.
for (const scenario of SCENARIOS.filter(({ population }) => population.pages <= 2 ** 10)) {
  for (const contender of CONTENDERS) {
    Deno.bench({
      group: `with set-up: ${scenario.name}`,
      baseline: contender === CONTENDERS[0],
      name: contender.name,
      n: 10,
      warmup: 2,
      fn() {
        const vm = populatedVm(contender.createVm, scenario.population);
        scenario.prepare(vm, 0);
        scenario.measure(vm, 0);
      },
    });
  }
}
