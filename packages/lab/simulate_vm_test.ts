import { assert, assertEquals, assertThrows } from "@std/assert";
import { STRATEGIES } from "@mmu-lab/invalidation";
import { PROFILES, withStrategy } from "@mmu-lab/machine";
import { auditBooks } from "@mmu-lab/paging";
import { COST_PRESETS, costsOf, type HistogramSummary } from "@mmu-lab/simulator";
import { DEFAULT_LOAD, populatedVm, updatesBeforeWrap, type VmLoad } from "./simulate_load.ts";
import { Recorded, simulateVm, type VmSimulation } from "./simulate_vm.ts";

const COSTS = costsOf(COST_PRESETS["nehalem-2011"]);
const SMALL: VmLoad = { ...DEFAULT_LOAD, vcpus: 4, pages: 256, accesses: 64, updates: 4, interval: 150_000 };
const PROFILE = PROFILES.linux_3_17_ept;
/** Cycles that the walk pays for each leaf table that it looks at and leaves alone. */
const PER_PAGE = COSTS.pagesVisited;

function simulated(strategy: string, changes: Partial<VmLoad> = {}, profile = PROFILE): VmSimulation {
  return simulateVm(withStrategy(profile, STRATEGIES[strategy].create, strategy), { ...SMALL, ...changes }, COSTS);
}

function during({ report }: VmSimulation): HistogramSummary {
  return report.operations[Recorded.DURING_UPDATE].toJSON();
}

function updates({ report }: VmSimulation): HistogramSummary {
  return report.operations[Recorded.UPDATE].toJSON();
}

Deno.test("simulateVm() with fullWalk: an access during an update waits longer by 71 cycles for each shadow page", () => {
  const sizes = [256, 512, 1024].map((pages) => simulated("fullWalk", { pages }));
  const [first] = sizes;
  for (const { report, shadowPages } of sizes) {
    const more = report.locks[1].longestHold - first.report.locks[1].longestHold;
    assertEquals(more, (shadowPages - first.shadowPages) * PER_PAGE);
  }
  const [small, middle, large] = sizes.map(during);
  for (const key of ["p99", "max"] as const) {
    assert(middle[key] - small[key] > 200 * PER_PAGE && large[key] - middle[key] > 450 * PER_PAGE);
  }
});

Deno.test("simulateVm() with fullWalk: an access during an update waits longer the more vCPUs there are", () => {
  const [few, more, many] = [2, 8, 32].map((vcpus) => during(simulated("fullWalk", { vcpus })));
  assert(few.p99 < more.p99 && more.p99 < many.p99 && few.max < more.max && more.max < many.max);
  assert(many.p99 > 2 * few.p99, `${few.p99} and ${many.p99}`);
});

Deno.test("simulateVm() with generation: not a cycle depends on the number of shadow pages", () => {
  const [small, large] = [256, 1024].map((pages) => simulated("generation", { pages }).report);
  assertEquals(JSON.stringify(small), JSON.stringify(large));
});

Deno.test("simulateVm() with generation: accesses during an update take as long with 32 vCPUs as with 2, within 10 percent", () => {
  const [few, many] = [2, 32].map((vcpus) => during(simulated("generation", { vcpus })));
  assert(many.p99 < 1.1 * few.p99 && many.max < 1.1 * few.max, `${few.max} and ${many.max}`);
});

Deno.test("simulateVm() with generation: the wrap makes an update and accesses slow, with hybrid it does not", () => {
  const wrap = { updatesBefore: updatesBeforeWrap(PROFILE, SMALL) };
  const [calm, spiked] = [simulated("generation"), simulated("generation", wrap)];
  assertEquals([calm.work.wrapZaps, spiked.work.wrapZaps], [0, 1]);
  assert(updates(spiked).max > 20 * updates(calm).max);
  assert(spiked.report.operations[Recorded.ACCESS].max > 3 * calm.report.operations[Recorded.ACCESS].max);

  const [before, after] = [simulated("hybrid"), simulated("hybrid", wrap)];
  assertEquals(after.work.wrapZaps, 0);
  // A piece of the sweep, 64 pages, is the most that hybrid ever adds.
  const piece = 64 * (PER_PAGE + 512 * COSTS.sptesVisited);
  for (const simulation of [before, after]) {
    assert(updates(simulation).max < updates(calm).max + piece);
    assert(simulation.report.operations[Recorded.ACCESS].max < calm.report.operations[Recorded.ACCESS].max + piece);
  }
});

Deno.test("simulateVm() with generation: the wrap zaps with lock breaks, so no hold is as long as the walk's", () => {
  const pages = 1024;
  const load = { ...SMALL, pages };
  const wrap = { pages, updatesBefore: updatesBeforeWrap(PROFILE, load) };
  const [generation, fullWalk] = [simulated("generation", wrap), simulated("fullWalk", wrap)];
  assert(generation.report.locks[1].longestHold < fullWalk.report.locks[1].longestHold / 2);
  assert(updates(generation).max > 10 * updates(fullWalk).max);
});

Deno.test("simulateVm() says the same twice, and something else for another seed", () => {
  const [one, again, other] = [1, 1, 2].map((seed) => JSON.stringify(simulated("hybrid", { seed })));
  assertEquals(one, again);
  assert(one !== other);
});

Deno.test("simulateVm() records each access and each update once", () => {
  for (const strategy of ["fullWalk", "generation", "hybrid", "seedV2"]) {
    for (const updateKind of ["create", "flags", "delete"] as const) {
      const { report, work } = simulated(strategy, { updateKind });
      assertEquals(report.operations[Recorded.ACCESS].count, SMALL.vcpus * SMALL.accesses);
      assertEquals(report.operations[Recorded.UPDATE].count, SMALL.updates);
      assertEquals(work.memslotUpdates, SMALL.updates);
      assert(during({ report, work, shadowPages: 0 }).count > 0);
      const zapsAll = updateKind === "delete";
      assertEquals(work.pagesZapped > SMALL.pages, zapsAll, `${strategy} ${updateKind}`);
    }
  }
});

for (const profile of [PROFILES.linux_3_11_ept, PROFILES.linux_3_17_ept, PROFILES.linux_5_13_ept]) {
  const { name } = profile;
  // On 5.13 it takes 2^18 updates and seconds.
  if (name !== "linux_5_13_ept") {
    Deno.test(`updatesBeforeWrap() on ${name} puts the wrap in the middle of the updates`, () => {
      for (const updateKind of ["create", "flags", "delete"] as const) {
        const load = { ...SMALL, updateKind };
        const { work } = simulated("generation", { ...load, updatesBefore: updatesBeforeWrap(profile, load) }, profile);
        assert(work.wrapZaps >= 1, updateKind);
      }
    });
  }
  Deno.test(`populatedVm() on ${name} has its shadow pages, and balanced books`, () => {
    const vm = populatedVm(profile, { ...SMALL, updatesBefore: 3 });
    // A leaf table a piece; the root, and tables above for RAM and devices; a leaf table a vCPU, and one for all.
    assertEquals(vm.mmu.pool.used, SMALL.pages + 4 + SMALL.vcpus + 1);
    assertEquals(auditBooks(vm.mmu), []);
  });
}

Deno.test("updatesBeforeWrap() throws where there is no generation", () => {
  assertThrows(() => updatesBeforeWrap(PROFILES.linux_3_10_ept, SMALL), RangeError, "store no generation");
});
