import { assert, assertEquals } from "@std/assert";
import { CONTENDERS } from "./contenders.ts";
import type { Contender } from "./contender.ts";
import { populatedVm } from "./populated_vm.ts";
import { Race } from "./race.ts";
import { SCENARIOS } from "./scenarios.ts";
import { fullWalk } from "./strategies/full_walk.ts";
import { generation } from "./strategies/generation.ts";
import { hybrid } from "./strategies/hybrid.ts";
import { countWork, formatWorkCounts, type WorkCount } from "./work_counts.ts";

function count(scenario: string, contender: Contender): WorkCount {
  return countWork(SCENARIOS.find(({ name }) => name === scenario)!, contender);
}

Deno.test("populatedVm() makes as many shadow pages as it is told, 16 of them with MMIO sptes", () => {
  for (const pages of [24, 1024, 1500]) {
    for (const mmio of ["newest", "oldest"] as const) {
      const { mmu } = populatedVm(generation.createVm, { pages, mmio });
      assertEquals([mmu.pool.used, mmu.pagesWithMmio], [pages, 16], `${pages} ${mmio}`);
    }
  }
});

Deno.test("an update under generation and hybrid does the same work at 2^10 and 2^16 shadow pages", () => {
  for (const contender of [generation, hybrid]) {
    const small = count("update, 2^10 shadow pages", contender);
    const large = count("update, 2^16 shadow pages", contender);
    assertEquals(large.counts, small.counts, contender.name);
    // Two locks, slots_lock and mmu_lock, and a grace period.
    assertEquals([small.units, large.units], [3, 3], contender.name);
  }
});

Deno.test("an update under fullWalk looks at every page, and once more at the head of the list for each that went", () => {
  const visits = [10, 13, 16].map((bits) => count(`update, 2^${bits} shadow pages`, fullWalk).counts.pagesVisited);
  // The 16 pages with MMIO sptes are the newest: each is the first of the walk that it ends.
  assertEquals(visits, [2 ** 10, 2 ** 13, 2 ** 16]);
});

Deno.test("an update under fullWalk grows by one work unit a shadow page", () => {
  const [small, middle, large] = [10, 13, 16].map((bits) => count(`update, 2^${bits} shadow pages`, fullWalk).units);
  assertEquals([middle - small, large - small], [2 ** 13 - 2 ** 10, 2 ** 16 - 2 ** 10]);
});

Deno.test("a walk of fullWalk begins again at the newest page after each page that went", () => {
  const { counts } = count("first update, 2^13 shadow pages, devices touched first", fullWalk);
  assertEquals(counts.pagesZapped, 16);
  // Behind 2^13 - 19 younger pages of RAM: each of the 16 ends a walk past all of them, and a last one finds no more.
  // Older than the devices are the root and two tables on the way to them.
  assertEquals(counts.pagesVisited, 16 * (2 ** 13 - 19 + 1) + (2 ** 13 - 16));
});

Deno.test("a wrap under hybrid is an update like any other, and under generation zaps every page", () => {
  const wrap = "update at the wrap, 2^13 shadow pages";
  assertEquals(count(wrap, hybrid).units, 3);
  const { counts } = count(wrap, generation);
  assertEquals([counts.wrapZaps, counts.pagesZapped], [1, 2 ** 13]);
});

Deno.test("no update of a race but that at the wrap reaches the wrap", () => {
  const { population, prepare, measure, roundsPerVm, rounds } = SCENARIOS.find(({ name }) =>
    name.startsWith("update")
  )!;
  const vm = populatedVm(generation.createVm, population);
  for (let round = 0; round < Math.min(rounds, roundsPerVm); round++) {
    prepare(vm, round);
    measure(vm, round);
  }
  assertEquals(vm.mmu.counters.toJSON().wrapZaps, 0);
});

Deno.test("every scenario with small VMs can be run for as many rounds as its bench does", () => {
  for (const scenario of SCENARIOS.filter(({ population }) => population.pages <= 2 ** 10)) {
    for (const contender of CONTENDERS) {
      const race = new Race(scenario, contender);
      let rounds = 0;
      for (let round = 0; round < Math.min(scenario.rounds, 130); round++) race.round(() => {}, () => rounds++);
      race.release();
      assertEquals(rounds, Math.min(scenario.rounds, 130), scenario.name);
    }
  }
});

Deno.test("countWork() counts the same twice", () => {
  assertEquals(count("refault after an update", hybrid), count("refault after an update", hybrid));
});

Deno.test("formatWorkCounts() names each scenario once", () => {
  const counts = CONTENDERS.map((contender) => count("MMIO hit by the spte", contender));
  const lines = formatWorkCounts(counts).split("\n");
  assertEquals(lines.length, 1 + CONTENDERS.length);
  assertEquals(lines.filter((line) => line.startsWith("MMIO hit")).length, 1);
  assert(lines[0].startsWith("scenario"));
});
