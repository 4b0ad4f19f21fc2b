import { unicodeWidth } from "@std/cli/unicode-width";

const GROUPS = new Intl.NumberFormat("en-US");

/** A number for people: with separators of thousands. */
export function formatNumber(value: number): string {
  return GROUPS.format(value);
}

/**
 * Lays out rows in columns: the first to the left, the others to the right, as numbers are read.
 *
 * @param rows Cells by row; the first row is the heading.
 * @returns Lines without trailing space, each ended by a newline. O(cells).
 */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, unicodeWidth(cell));
    }
  }
  const pad = (cell: string, column: number) => " ".repeat(widths[column] - unicodeWidth(cell));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell + pad(cell, 0) : pad(cell, column) + cell)).join("  ").trimEnd();
  return rows.map((row) => line(row) + "\n").join("");
}
