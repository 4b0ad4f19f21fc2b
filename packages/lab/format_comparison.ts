import { PROFILES } from "@mmu-lab/machine";
import type { Comparison, StrategyResult } from "./comparison.ts";
import { type Counters, type Measure, type MeasureKey, MEASURES } from "./measures.ts";
import { formatNumber, textTable } from "./text_table.ts";
import { wrapText } from "./wrap_text.ts";

/** Rows that are left out where all strategies have 0. */
const ONLY_IF_ANY: ReadonlySet<MeasureKey> = new Set([
  "staleByCache",
  "staleBySpte",
  "sweepUnits",
  "wrapZaps",
  "guestWalks",
  "gptesRead",
  "gptesWritten",
  "pagesUnsynced",
  "pagesSynced",
]);

/**
 * Prints a comparison: a table with the strategies as columns, and what it shows, in a few sentences.
 *
 * @param comparison What was counted.
 */
export function formatComparison(comparison: Comparison): string {
  const { scenario, source, operations, profile, strategies } = comparison;
  const rows = MEASURES.filter(({ key }) =>
    !ONLY_IF_ANY.has(key) || strategies.some(({ counters }) => counters[key] > 0)
  );
  const row = ({ key, label }: Measure & { key: MeasureKey }) => [
    label,
    ...strategies.map(({ counters }) => formatNumber(counters[key])),
  ];
  return [
    `${scenario}: ${formatNumber(operations)} operations, from ${source}\n`,
    profile === null ? "each on its own kernel\n\n" : `on ${profile}: ${PROFILES[profile].summary}\n\n`,
    textTable([["", ...strategies.map(({ name }) => name)], ...rows.map(row)]),
    "\n",
    ...findings(strategies, profile).map((finding) => wrapText(finding) + "\n"),
  ].join("");
}

/** What a comparison shows, in sentences: who was wrong, and who pays for what. */
function findings(strategies: readonly StrategyResult[], profile: string | null): string[] {
  return [...unsound(strategies), ...outcomes(strategies), ...cacheBug(strategies, profile), ...price(strategies)];
}

/** Whether every access came to the same under all that were right. */
function outcomes(strategies: readonly StrategyResult[]): string[] {
  const right = strategies.filter(({ sound }) => sound);
  if (right.length < 2) return [];
  const others = right.filter((one) => one.outcomes !== right[0].outcomes);
  if (others.length > 0) {
    return [
      `Accesses under ${listOf(others.map(({ name }) => name))} did not come to what they did under ${right[0].name}.`,
    ];
  }
  const who = right.length === strategies.length
    ? "all"
    : `all that were right (${listOf(right.map(({ name }) => name))})`;
  return [`Every access reached the same, memory or device, and read the same, under ${who}.`];
}

function unsound(strategies: readonly StrategyResult[]): string[] {
  const wrong = strategies.filter(({ counters }) => counters.staleBySpte > 0);
  if (strategies.every(({ sound }) => sound)) return ["No access went the wrong way on this run."];
  return wrong.map(({ name, counters, firstStale }) => {
    const first = firstStale?.byCache === false ? `, first ${describe(firstStale)}` : "";
    return `${name} is UNSOUND on this run: ${formatNumber(counters.staleBySpte)} of ${
      formatNumber(counters.accesses)
    } ` +
      `accesses went the wrong way by its fault${first}.`;
  });
}

function describe({ operation, seq, op, vcpu, gpa, expected }: NonNullable<StrategyResult["firstStale"]>): string {
  const place = seq === undefined ? `operation ${operation}` : `operation ${operation} (seq ${seq})`;
  const reached = expected === "memory" ? "reached a device where memory is" : "reached memory where a device is";
  return `${place}: vCPU ${vcpu}, ${op} of ${gpa}, ${reached}`;
}

function cacheBug(strategies: readonly StrategyResult[], profile: string | null): string[] {
  const hit = strategies.filter(({ counters }) => counters.staleByCache > 0);
  if (hit.length === 0) return [];
  const first = hit.find(({ firstStale }) => firstStale?.byCache)?.firstStale;
  return [
    `The wrong answers under ${listOf(hit.map(({ name }) => name))} that came from the vCPU's own MMIO cache are ` +
    `${profile ?? "the kernel"}'s fault, not the strategy's: that cache does not know the generation (bug B01)` +
    `${first === undefined ? "" : `; first ${describe(first)}`}. linux_3_17_ept has the fix.`,
  ];
}

function price(strategies: readonly StrategyResult[]): string[] {
  if (strategies.length < 2 || strategies.every(({ counters }) => counters.memslotUpdates === 0)) return [];
  const updates = underEach(strategies, ({ worstUpdateUnits }) => worstUpdateUnits);
  const again = underEach(strategies, ({ mmioRefaults, firstTouches }) => mmioRefaults + firstTouches);
  return [
    `The most expensive update, in work units (an spte, page, slot lookup, flush or lock each): ${updates}. ` +
    `Device accesses that went the long way, by refault or first touch: ${again}.`,
  ];
}

function underEach(strategies: readonly StrategyResult[], of: (counters: Counters) => number): string {
  const values = strategies.map(({ counters }) => of(counters));
  if (values.every((value) => value === values[0])) return `${formatNumber(values[0])} under each`;
  return listOf(strategies.map(({ name }, i) => `${formatNumber(values[i])} under ${name}`));
}

function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
