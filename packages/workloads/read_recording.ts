import { type TraceLine, TraceSyntaxError } from "@mmu-lab/tracing";
import type { RecordedStretch, Recording } from "./recording.ts";
import { type ReadRecordingOptions, RecordingReader } from "./recording_reader.ts";

/** Keeps all that a {@linkcode RecordingReader} tells of one recording. */
class Collector {
  readonly #options: ReadRecordingOptions;
  readonly #before: TraceLine[] = [];
  readonly #stretches: RecordedStretch[] = [];
  readonly #after: TraceLine[][] = [];
  readonly #reader: RecordingReader;

  constructor(options: ReadRecordingOptions) {
    this.#options = options;
    this.#reader = new RecordingReader(options, (line) => (this.#after.at(-1) ?? this.#before).push(line));
  }

  push(line: TraceLine): void {
    const stretch = this.#reader.push(line);
    if (stretch === undefined) return;
    const [first] = this.#stretches;
    if (first !== undefined && first.header !== stretch.header) {
      const position = { ...this.#options, line: stretch.operations[0].startLine };
      throw new TraceSyntaxError(position, "one recording", "an operation of the next");
    }
    this.#stretches.push(stretch);
    for (let i = 0; i < stretch.operations.length; i++) this.#after.push([]);
  }

  finish(): Recording {
    this.#reader.finish();
    const header = this.#stretches[0]?.header ?? this.#reader.header!;
    const all = this.#stretches.flatMap(({ operations }) => operations);
    const operations = all.map((operation, i) => ({ ...operation, after: this.#after[i] }));
    const scenario = { ...header.setting, operations: all.map(({ operation }) => operation) };
    return { ...header, before: this.#before, operations, stretches: this.#stretches, scenario };
  }
}

/**
 * Reads a trace made by the recorder: what was asked, what came of it, and the kernel's events for each operation; see
 * {@linkcode RecordingReader} for what a recording may be. All of it is held in memory.
 *
 * @param lines The lines of the trace.
 * @param options For messages.
 * @throws {TraceSyntaxError} If the trace is no recording, holds several, or is cut off within an operation.
 * @throws {RangeError} If a marker lacks a word, or has a number that is none.
 * @throws {UnmodelledOperationError} If the guest has paging of another kind.
 */
export function readRecording(lines: Iterable<TraceLine>, options: ReadRecordingOptions = {}): Recording {
  const collector = new Collector(options);
  for (const line of lines) collector.push(line);
  return collector.finish();
}

/**
 * Reads a trace made by the recorder, as it arrives; the counterpart of {@linkcode readRecording}.
 *
 * @param lines The lines of the trace, for example from `parseTrace`.
 * @param options For messages.
 * @throws As {@linkcode readRecording} does.
 */
export async function readRecordingStream(
  lines: AsyncIterable<TraceLine>,
  options: ReadRecordingOptions = {},
): Promise<Recording> {
  const collector = new Collector(options);
  for await (const line of lines) collector.push(line);
  return collector.finish();
}
