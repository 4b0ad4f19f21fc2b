/**
 * Cuts a stream of text into lines, as many at a time as have arrived: one step of the caller for each block, not for
 * each line. Memory is bounded by the largest block and the longest line.
 *
 * @param source Text cut anywhere.
 * @returns Lines without their ends (`\n` or `\r\n`); a last line without an end counts.
 */
export async function* lineBlocks(source: AsyncIterable<string>): AsyncGenerator<string[]> {
  let carry = "";
  for await (const chunk of source) {
    const lines = (carry + chunk).split(/\r?\n/);
    carry = lines.pop()!;
    if (lines.length > 0) yield lines;
  }
  if (carry !== "") yield [carry.replace(/\r$/, "")];
}
