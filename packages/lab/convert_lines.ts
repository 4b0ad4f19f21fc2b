import { InputError } from "./input_error.ts";
import type { Io } from "./io.ts";
import { lineBlocks } from "./line_blocks.ts";

/**
 * Converts standard input to standard output, line by line, as it arrives: what comes in one block goes out in one
 * write, or, with a line in it that cannot be used, not at all. Blank lines are skipped.
 *
 * @param io The streams.
 * @param convert Makes a line of output of a line of input.
 * @throws {InputError} At the first line that `convert` does not take; the message names its number.
 */
export async function convertLines(io: Io, convert: (line: string) => string): Promise<void> {
  let lineNumber = 0;
  for await (const lines of lineBlocks(io.stdin())) {
    let output = "";
    for (const line of lines) {
      lineNumber++;
      const text = line.trim();
      if (text === "") continue;
      try {
        output += convert(text) + "\n";
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        throw new InputError(`line ${lineNumber} of standard input: ${error.message}`, { cause: error });
      }
    }
    if (output !== "") io.stdout(output);
  }
}

/**
 * Tells whether a command should read standard input.
 *
 * @param operands What the command was given; `-` alone asks for standard input.
 * @param hasOwn Whether it was given something to work on in another way.
 * @throws {InputError} If there is nothing to work on: standard input is a terminal, and was not asked for.
 */
export function readsStdin(operands: readonly string[], hasOwn: boolean, io: Io, mend: string): boolean {
  const asked = operands.includes("-");
  if (asked && (operands.length > 1 || hasOwn)) {
    throw new InputError("Cannot read standard input and arguments at once: leave out '-' or the rest");
  }
  if (!asked && !hasOwn && io.isTerminal("stdin")) throw new InputError(`Nothing to do: ${mend}`);
  return !hasOwn;
}
