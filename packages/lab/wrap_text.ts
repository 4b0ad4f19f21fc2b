/** Columns of a terminal. */
const WIDTH = 80;

/**
 * Breaks text into lines of at most 80 columns, at spaces; a word that is longer gets a line of its own.
 *
 * @param text Words with single spaces between.
 * @returns The lines, without a newline at the end.
 */
export function wrapText(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
