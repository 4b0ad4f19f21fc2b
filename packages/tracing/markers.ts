import { type TracePosition, TraceSyntaxError } from "./trace_syntax_error.ts";

/** A marker that the recorder wrote: what was asked of the machine. */
export interface TraceMarker {
  /** Number of the operation; its `done` has the same. */
  readonly seq: number;
  /** Name of the operation, such as `memslot_create`, `read` or `done`. */
  readonly op: string;
  /** The other words, as written. */
  readonly words: Readonly<Record<string, string>>;
  /**
   * A word as a number: decimal, or hexadecimal with `0x`.
   *
   * @throws {RangeError} Naming the place, if there is no such word, or it is not an integer that a number holds exactly,
   * as it does those of magnitude below 2^53 and addresses of pages of 64 bits: read {@linkcode words} for the value of a
   * 64-bit access.
   */
  num(name: string): number;
}

/** Name of the events whose text is a marker: `tracing_mark_write` in every kernel recorded, `print` in trace-cmd. */
export const MARKER_EVENT = "tracing_mark_write";

/**
 * Reads the text of a marker: `seq=N op=NAME`, then words `key=value`.
 *
 * @param text The text of a `tracing_mark_write` event.
 * @param position For messages: where the text stands.
 * @returns The marker, or `undefined` for a text that does not begin with `seq=`, which somebody else wrote.
 * @throws {TraceSyntaxError} If a word has no `=`, or `seq` is no number, or `op` is missing.
 *
 * @example Read a marker
 * ```ts
 * import { parseMarker } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const marker = parseMarker("seq=12 op=memslot_create as=0 id=5 gpa=0xe0000000 size=0x1000 flags=0");
 * assertEquals([marker?.op, marker?.num("gpa")], ["memslot_create", 0xe0000000]);
 * ```
 */
export function parseMarker(text: string, position: TracePosition = { line: 0 }): TraceMarker | undefined {
  if (!text.startsWith("seq=")) return undefined;
  const all: Record<string, string> = {};
  for (const word of text.trim().split(/\s+/)) {
    const equals = word.indexOf("=");
    if (equals <= 0) throw new TraceSyntaxError(position, "a marker of words 'key=value'", text);
    all[word.slice(0, equals)] = word.slice(equals + 1);
  }
  const { seq = "", op, ...words } = all;
  if (!/^\d+$/.test(seq) || op === undefined) throw new TraceSyntaxError(position, "a marker 'seq=N op=NAME'", text);
  return {
    seq: Number(seq),
    op,
    words,
    num(name) {
      const word = words[name];
      const value = word !== undefined && /^(?:-?\d+|0x[0-9a-f]+)$/i.test(word) ? Number(word) : NaN;
      if (!Number.isSafeInteger(value) && !(Number.isInteger(value) && BigInt(word!) === BigInt(value))) {
        const { line, file } = position;
        const place = line === 0 ? "" : `, line ${line}${file === undefined ? "" : ` of ${file}`}`;
        throw new RangeError(`Cannot read '${name}' of marker ${seq} (${op})${place} as a number: got '${word}'`);
      }
      return value;
    },
  };
}
