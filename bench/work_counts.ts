/**
 * The race by work: what each scenario costs each strategy, counted. The counts are exact and the same on every machine.
 *
 * @module
 */
import type { WorkKind } from "@mmu-lab/protocol";
import type { Contender } from "./contender.ts";
import { CONTENDERS } from "./contenders.ts";
import { formatTable } from "./limit/ratios.ts";
import { Race } from "./race.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";

/** The work of one round of a scenario under a strategy. */
export interface WorkCount {
  /** Name of the scenario. */
  readonly scenario: string;
  /** Name of the strategy. */
  readonly strategy: string;
  /** Work units in all. */
  readonly units: number;
  /** Work units of the longest hold of `mmu_lock` in the round. */
  readonly longestHold: number;
  /** The counts by kind. */
  readonly counts: Readonly<Record<WorkKind, number>>;
}

/** Counts the work of a scenario's first round. */
export function countWork(scenario: Scenario, contender: Contender): WorkCount {
  const race = new Race(scenario, contender);
  let result: WorkCount | undefined;
  race.round(
    ({ mmu }) => {
      mmu.counters.reset();
      mmu.lock.longestHoldUnits = 0;
    },
    ({ mmu }) => {
      result = {
        scenario: scenario.name,
        strategy: contender.name,
        units: mmu.counters.units(),
        longestHold: mmu.lock.longestHoldUnits,
        counts: mmu.counters.toJSON(),
      };
    },
  );
  race.release();
  return result!;
}

/** Kinds of work that the table shows, and their headings. */
const COLUMNS: readonly (readonly [WorkKind, string])[] = [
  ["pagesVisited", "pages seen"],
  ["pagesZapped", "pages zapped"],
  ["sptesVisited", "sptes seen"],
  ["mmioSptesMarked", "marked"],
  ["mmioRefaults", "refaults"],
  ["slowFaults", "slow faults"],
  ["lockAcquisitions", "locks"],
];

/** The table for people: a block of lines for each scenario. */
export function formatWorkCounts(counts: readonly WorkCount[]): string {
  const rows = counts.map((count, i) => [
    count.scenario === counts[i - 1]?.scenario ? "" : count.scenario,
    count.strategy,
    ...[count.units, count.longestHold, ...COLUMNS.map(([kind]) => count.counts[kind])].map(String),
  ]);
  const headings = ["scenario", "strategy", "work units", "longest hold", ...COLUMNS.map(([, heading]) => heading)];
  return formatTable([headings, ...rows], 2);
}

if (import.meta.main) {
  console.log(formatWorkCounts(SCENARIOS.flatMap((scenario) => CONTENDERS.map((c) => countWork(scenario, c)))));
}
