import type { Profile } from "@mmu-lab/machine";
import type { HistogramSummary } from "@mmu-lab/simulator";
import { UPDATE_KINDS } from "./simulate_load.ts";
import type { SimulationSummary } from "./simulate_summary.ts";
import { formatNumber, textTable } from "./text_table.ts";
import { wrapText } from "./wrap_text.ts";

type Row = readonly [label: string, of: (summary: SimulationSummary) => number];

const ROWS: readonly Row[] = [
  ...latency("MMIO accesses", ({ mmio }) => mmio),
  ...latency("  during updates", ({ mmioDuringUpdates }) => mmioDuringUpdates),
  ...latency("memslot updates", ({ update }) => update),
  ["mmu_lock: longest wait", (summary) => mmuLock(summary).longestWait],
  ["  all waits", (summary) => mmuLock(summary).totalWait],
  ["  longest hold", (summary) => mmuLock(summary).longestHold],
  ["  all holds", (summary) => mmuLock(summary).totalHold],
  ["wrap zaps", ({ work }) => work.wrapZaps],
  ["background work", ({ backgroundWork }) => backgroundWork],
  ["virtual time", ({ cycles }) => cycles],
  ["accesses a megacycle", ({ throughput }) => Math.round(throughput)],
];

/** Rows that are left out where all strategies have 0. */
const ONLY_IF_ANY: ReadonlySet<string> = new Set(["wrap zaps", "background work"]);

/**
 * Prints simulations of the same load: a table with the strategies as columns.
 *
 * @param summaries One for each strategy, at least one.
 * @param profile The profile, for its summary.
 */
export function formatSimulations(summaries: readonly SimulationSummary[], profile: Profile): string {
  const [first] = summaries;
  const { vcpus, pages, accesses, think, updates, updateKind, interval, cost } = first;
  const head =
    `${vcpus} vCPUs, ${formatNumber(pages)} leaf tables of RAM; ${formatNumber(accesses)} MMIO accesses each ` +
    `with ${formatNumber(think)} cycles between; ${updates} updates that ${UPDATE_KINDS[updateKind]}, ` +
    `${formatNumber(interval)} cycles apart; costs ${cost}.`;
  const rows = ROWS
    .filter(([label, of]) => !ONLY_IF_ANY.has(label) || summaries.some((summary) => of(summary) > 0))
    .map(([label, of]) => [label, ...summaries.map((summary) => formatNumber(of(summary)))]);
  return [
    wrapText(head) + "\n",
    `on ${profile.name}: ${profile.summary}\n\n`,
    textTable([["cycles of virtual time", ...summaries.map(({ strategy }) => strategy)], ...rows]),
    "\nVirtual time is work counts by costs: for shapes and ratios, not nanoseconds.\n",
  ].join("");
}

function latency(what: string, of: (summary: SimulationSummary) => HistogramSummary): Row[] {
  const indent = " ".repeat(what.length - what.trimStart().length + 2);
  return [
    [what, (summary) => of(summary).count],
    [`${indent}p50`, (summary) => of(summary).p50],
    [`${indent}p99`, (summary) => of(summary).p99],
    [`${indent}p99.9`, (summary) => of(summary).p999],
    [`${indent}max`, (summary) => of(summary).max],
  ];
}

function mmuLock({ locks }: SimulationSummary) {
  return locks.find(({ name }) => name === "mmu_lock")!;
}
