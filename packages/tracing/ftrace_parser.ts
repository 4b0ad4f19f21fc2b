import { LINE_SHAPE, scanLine, type TraceLine } from "./_scan_line.ts";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

export type { TraceLine } from "./_scan_line.ts";

/** For messages. */
export interface ParseTraceOptions {
  /** Name of the file that the text comes from. */
  readonly file?: string;
}

function fail(text: string, lineNumber: number, options: ParseTraceOptions, isLast: boolean): never {
  const expected = isLast ? `a whole line, ${LINE_SHAPE}, but the text ends within it (truncated)` : LINE_SHAPE;
  throw new TraceSyntaxError({ ...options, line: lineNumber }, expected, text);
}

function failEmpty(options: ParseTraceOptions): never {
  throw new TraceSyntaxError({ ...options, line: 0 }, `a trace with at least one line ${LINE_SHAPE}`, "no event line");
}

/**
 * Reads a trace that is in memory: the text of /sys/kernel/tracing/trace, of `trace-cmd report` or of `perf script`.
 * Comments, blank lines and the remarks of trace-cmd are skipped; events need not be known.
 *
 * @param text The trace.
 * @param options For messages.
 * @returns Its event lines.
 * @throws {TraceSyntaxError} While iterating: at a line that is no trace line, at a last line that is cut off, and at
 * the end if there was no event line at all.
 *
 * @example Read a line
 * ```ts
 * import { parseTraceText } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const [line] = parseTraceText("           <...>-277   [000] d...   7731852553: kvm_entry: vcpu 0\n");
 * assertEquals([line?.pid, line?.flags, line?.name, line?.text], [277, "d...", "kvm_entry", "vcpu 0"]);
 * ```
 */
export function* parseTraceText(text: string, options: ParseTraceOptions = {}): Generator<TraceLine> {
  let events = 0;
  let lineNumber = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = scanLine(text, start, end, ++lineNumber);
    if (line === undefined) fail(text.slice(start, end), lineNumber, options, newline < 0);
    if (line !== null) {
      events++;
      yield line;
    }
    start = end + 1;
  }
  if (events === 0) failEmpty(options);
}

/**
 * Reads a trace as it arrives, a block at a time: one step of the caller for each block, not for each line. Memory is
 * bounded by the largest chunk and the longest line.
 *
 * @param source The text, newlines included, cut anywhere: from {@linkcode readTraceLines}, or any stream of strings.
 * @param options For messages.
 * @returns Its event lines, as many at a time as have arrived; no block is empty.
 * @throws {TraceSyntaxError} While iterating, as {@linkcode parseTraceText} does; the lines before the bad one come first.
 */
export async function* parseTraceBlocks(
  source: AsyncIterable<string> | ReadableStream<string>,
  options: ParseTraceOptions = {},
): AsyncGenerator<TraceLine[]> {
  let events = 0;
  let lineNumber = 0;
  let carry = "";
  for await (const chunk of source) {
    const text = carry === "" ? chunk : carry + chunk;
    const block: TraceLine[] = [];
    let bad: string | undefined;
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      const line = scanLine(text, start, end, ++lineNumber);
      if (line === undefined) {
        bad = text.slice(start, end);
        break;
      }
      start = end + 1;
      if (line !== null) block.push(line);
    }
    events += block.length;
    if (block.length > 0) yield block;
    if (bad !== undefined) fail(bad, lineNumber, options, false);
    carry = text.slice(start);
  }
  if (carry !== "") {
    const line = scanLine(carry, 0, carry.length, ++lineNumber);
    if (line === undefined) fail(carry, lineNumber, options, true);
    if (line !== null) {
      events++;
      yield [line];
    }
  }
  if (events === 0) failEmpty(options);
}

/**
 * Reads a trace as it arrives, line by line.
 *
 * @param source The text, as for {@linkcode parseTraceBlocks}.
 * @param options For messages.
 * @returns Its event lines, as {@linkcode parseTraceText} returns them.
 * @throws {TraceSyntaxError} While iterating, as {@linkcode parseTraceText} does.
 */
export async function* parseTrace(
  source: AsyncIterable<string> | ReadableStream<string>,
  options: ParseTraceOptions = {},
): AsyncGenerator<TraceLine> {
  for await (const block of parseTraceBlocks(source, options)) yield* block;
}
