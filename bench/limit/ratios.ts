/**
 * What `deno task bench:limit` makes of its measurements; nothing here measures.
 *
 * @module
 */

/** The inner loops, by their names in the output. */
export const LOOPS = ["scan", "mark_check", "mark_check_books", "lookup", "walk"] as const;
/** One of {@linkcode LOOPS}. */
export type LoopName = (typeof LOOPS)[number];
/** Nanoseconds an item, by loop. */
export type Nanoseconds = Readonly<Record<LoopName, number>>;

/** How much data the loops work on; the same on both sides. */
export interface Sizes {
  /** Shadow pages of the scan: 512 sptes each. */
  readonly scanPages: number;
  /** Shadow pages of the tree that is walked. */
  readonly lookupPages: number;
  /** Walks in one repetition. */
  readonly lookups: number;
  /** Shadow pages that MMIO sptes are marked in. */
  readonly markPages: number;
  /** Marks, and checks, in one repetition. */
  readonly marks: number;
  /** Guest tables that are walked. */
  readonly walkPages: number;
  /** Walks of guest tables in one repetition. */
  readonly walks: number;
}

/** One round: both sides measured one after the other, so that what slows the machine slows both. */
export interface Round {
  /** The reference. */
  readonly c: Nanoseconds;
  /** The model. */
  readonly model: Nanoseconds;
}

/** How the rounds spread. */
export interface Spread {
  /** The middle one; of an even number, the mean of the middle two. */
  readonly median: number;
  /** The smallest. */
  readonly min: number;
  /** The largest. */
  readonly max: number;
}

/** The median and the extremes of some numbers, at least one. */
export function spread(numbers: readonly number[]): Spread {
  if (numbers.length === 0) throw new RangeError("Cannot spread no numbers: expected at least one");
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** Time of the model divided by time of the reference, round by round. */
export function ratios(rounds: readonly Round[]): Record<LoopName, Spread> {
  const of = (loop: LoopName) => spread(rounds.map(({ c, model }) => model[loop] / c[loop]));
  return Object.fromEntries(LOOPS.map((loop) => [loop, of(loop)])) as Record<LoopName, Spread>;
}

/**
 * Reads what the reference prints.
 *
 * @param text A line of JSON with a positive number for each of {@linkcode LOOPS}.
 * @throws {SyntaxError} If it is anything else.
 */
export function parseReference(text: string): Nanoseconds {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const found = (parsed ?? {}) as Record<string, unknown>;
  for (const loop of LOOPS) {
    const ns = found[loop];
    if (typeof ns !== "number" || !(ns > 0)) {
      throw new SyntaxError(`Cannot read the reference's output '${text.trim()}': expected a positive '${loop}'`);
    }
  }
  return found as Nanoseconds;
}

/** What each loop does, for the table. */
const ABOUT: Readonly<Record<LoopName, string>> = {
  scan: "scan for MMIO sptes, an spte",
  mark_check: "mark and check, an MMIO spte",
  mark_check_books: "the same with all bookkeeping",
  lookup: "walk of 4 levels, a gfn",
  walk: "guest walk of 4 levels, an address",
};

/** The table for people: times are medians of the rounds, ratios the model's time over that of C. */
export function formatRatios(rounds: readonly Round[]): string {
  const all = ratios(rounds);
  const rows = LOOPS.map((loop) => [
    ABOUT[loop],
    ...[rounds.map(({ c }) => c[loop]), rounds.map(({ model }) => model[loop])].map((times) =>
      spread(times).median.toFixed(2)
    ),
    ...[all[loop].median, all[loop].min, all[loop].max].map((ratio) => ratio.toFixed(2)),
  ]);
  return formatTable([["inner loop", "C ns", "model ns", "ratio", "min", "max"], ...rows]);
}

/** Lines up the columns of a table: the first `left` to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[], left: number = 1): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd();
  return rows.map(line).join("\n");
}
