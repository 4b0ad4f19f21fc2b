/**
 * The same operations under each strategy. A profile is made of parts, and the strategy is one of them.
 *
 * `deno run -q -P=lab examples/03_swap_strategies.ts`
 */
import { STRATEGIES } from "@mmu-lab/invalidation";
import { PROFILES, withStrategy } from "@mmu-lab/machine";
import { Work } from "@mmu-lab/protocol";
import { runOperation, vmForScenario, WORKLOADS } from "@mmu-lab/workloads";

// Many shadow pages, few of them with MMIO sptes, and 64 memslots created far away.
const scenario = WORKLOADS["many-pages"].generate({ pages: 1024, vcpus: 1, seed: 0 });

console.log("strategy             sptes and pages seen    refaults    longest hold of mmu_lock");
for (const name of ["fullWalkEveryPage", "fullWalk", "generation", "hybrid"]) {
  const profile = withStrategy(PROFILES.linux_3_17_ept, STRATEGIES[name].create, name);
  const vm = vmForScenario(scenario, profile);
  for (const operation of scenario.operations) {
    runOperation(vm, operation);
    if (operation.op === "memslot") vm.sweep(); // background work, if the strategy has any
  }
  const { counts } = vm.mmu.counters;
  const seen = counts[Work.sptesVisited] + counts[Work.pagesVisited];
  const columns = [
    String(seen).padStart(20),
    String(counts[Work.mmioRefaults]).padStart(11),
    `${vm.mmu.lock.longestHoldUnits} units`.padStart(27),
  ];
  console.log(name.padEnd(20), ...columns);
}
console.log(
  "\nA walk pays for every shadow page there is. A generation pays one refault for each MMIO page that is used again.",
);
