/**
 * The results of a mutation check as text.
 *
 * @module
 */
import type { CatcherKind, MutationResult } from "./check_mutation.ts";

/**
 * A table of all results, and how many each kind of check caught.
 *
 * @param results The results, in the order in which they are shown.
 * @returns Lines of text; the last says how many were caught.
 */
export function formatReport(results: readonly MutationResult[]): string {
  const rows = [
    ["mutation", "what is wrong", "caught by", "in", "seconds"],
    ...results.map(({ id, what, caught, seconds }) => [
      id,
      what,
      caught?.kind ?? "SURVIVED",
      caught?.file.replace(/^packages\//, "") ?? "",
      seconds.toFixed(1),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === row.length - 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    );
    return cells.join("  ");
  });
  const kinds = [...countKinds(results)].map(([kind, count]) => `${kind} ${count}`).join(", ");
  const caught = results.filter((result) => result.caught !== undefined).length;
  return [...lines, "", ...(kinds === "" ? [] : [`Caught first by: ${kinds}`]), lastLine(caught, results.length)].join(
    "\n",
  );
}

function lastLine(caught: number, total: number): string {
  return `${caught} of ${total} mutations caught`;
}

function countKinds(results: readonly MutationResult[]): Map<CatcherKind, number> {
  const counts = new Map<CatcherKind, number>();
  for (const { caught } of results) {
    if (caught !== undefined) counts.set(caught.kind, (counts.get(caught.kind) ?? 0) + 1);
  }
  return counts;
}
