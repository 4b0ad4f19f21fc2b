import type { Profile } from "@mmu-lab/machine";
import type { TraceLine } from "@mmu-lab/tracing";
import { type RecordedStretch, RecordingReader } from "@mmu-lab/workloads";
import { level1Misses, profileOf, rivalOf } from "./choose_profile.ts";
import { Comparison, type ComparisonOptions } from "./comparison.ts";
import type { Conformance } from "./conformance.ts";
import { DEFAULT_LEVEL, type Level } from "./levels.ts";
import { explainOrder, type OnExplained } from "./overlap/explain_order.ts";
import { KernelWatcher, type RecordedKernel } from "./recorded_kernel.ts";

/** Opens a trace at its beginning: its lines, in blocks as they arrive. May be called again. */
export type OpenTrace = () => AsyncIterable<readonly TraceLine[]>;

/** Options of {@linkcode conformTrace}. */
export interface ConformTraceOptions {
  /** The kernel and processor that the model is; as the recording shows unless told. */
  readonly profile?: Profile;
  /** The highest level to compare; 2 unless told. */
  readonly level?: Level;
  /** Name of the file, for messages. */
  readonly file?: string;
  /** The recorded kernel's release, such as `4.19.0`, for where the recording does not show it. */
  readonly release?: string;
  /** Is told how far an order of operations that overlap is found, which takes some seconds. */
  readonly onExplained?: OnExplained;
}

/** What came of holding the model against a trace. */
export interface TraceConformance extends Conformance {
  /** Lines that were read and compared; a line that is read twice counts twice. */
  readonly lines: number;
}

/**
 * How many lines are looked at before it is decided which kernel they come from; a shorter recording is looked at as a
 * whole. What tells kernels apart shows in the first accesses and memslot updates.
 */
export const LINES_TO_KNOW_BY = 32768;

/** The longest trace, in lines, whose operations that overlap are held in memory to look for their order. */
export const LINES_TO_EXPLAIN = 250_000;

/**
 * Holds the model against a trace of one or more recordings, see {@linkcode Comparison}, as it arrives: each operation is
 * read, carried out, compared and dropped, so that memory does not grow with the trace. All recordings of a trace are
 * taken to come from one kernel. Where two kernels can be told apart by their results alone, and the first does not agree
 * with all of level 1, the trace is read once more for the other.
 *
 * Where operations overlap and the model does not agree, an order of what they did is looked for by which it does, see
 * {@linkcode explainOrder}: for that the trace is read once more, and held in memory.
 *
 * @param open Opens the trace.
 * @param options The model, and how closely to look.
 * @throws {TraceSyntaxError | UnmodelledOperationError} If the trace is no recording, or cannot be read.
 * @throws {RangeError} If no profile is for it, or the model cannot carry an operation out.
 */
export async function conformTrace(open: OpenTrace, options: ConformTraceOptions = {}): Promise<TraceConformance> {
  const { profile: asked } = options;
  const first = await attempt(open, asked, options);
  const rival = asked === undefined ? rivalOf(first.profile, first.seen) : undefined;
  if (rival === undefined || level1Misses(first.conformance) === 0) return first.conformance;
  const second = await attempt(open, rival, options);
  const better = level1Misses(second.conformance) < level1Misses(first.conformance) ? second : first;
  return { ...better.conformance, lines: first.conformance.lines + second.conformance.lines };
}

/** Reads the trace for one profile; once more if operations overlap whose order is to be looked for. */
async function attempt(
  open: OpenTrace,
  profile: Profile | undefined,
  options: ConformTraceOptions,
): Promise<Attempted> {
  const first = await new Attempt(profile, options).run(open());
  const { conformance, overlaps } = first;
  if (!overlaps || conformance.mismatches.length === 0 || conformance.lines > LINES_TO_EXPLAIN) return first;
  const stretches = await stretchesOf(open(), options);
  const explained = explainOrder(stretches, first.how, options.onExplained).result();
  return { ...first, conformance: { ...explained, lines: 2 * conformance.lines } };
}

async function stretchesOf(
  blocks: AsyncIterable<readonly TraceLine[]>,
  options: ConformTraceOptions,
): Promise<RecordedStretch[]> {
  const reader = new RecordingReader(options);
  const stretches: RecordedStretch[] = [];
  for await (const block of blocks) {
    for (const line of block) {
      const stretch = reader.push(line);
      if (stretch !== undefined) stretches.push(stretch);
    }
  }
  return stretches;
}

/** What came of one reading. */
interface Attempted {
  readonly profile: Profile;
  readonly seen: RecordedKernel;
  readonly overlaps: boolean;
  readonly how: ComparisonOptions;
  readonly conformance: TraceConformance;
}

/** One reading of the trace. */
class Attempt {
  readonly #profile: Profile | undefined;
  readonly #options: ConformTraceOptions;
  readonly #watcher = new KernelWatcher();
  /** Operations that wait until it is known which kernel they come from. */
  #waiting: RecordedStretch[] = [];
  #begun:
    | { readonly how: ComparisonOptions; readonly seen: RecordedKernel; readonly comparison: Comparison }
    | undefined;

  constructor(profile: Profile | undefined, options: ConformTraceOptions) {
    this.#profile = profile;
    this.#options = options;
  }

  async run(
    blocks: AsyncIterable<readonly TraceLine[]>,
  ): Promise<Attempted> {
    const reader = new RecordingReader(this.#options);
    let lines = 0;
    for await (const block of blocks) {
      for (const line of block) {
        const stretch = reader.push(line);
        if (stretch !== undefined) this.#take(stretch);
      }
      lines += block.length;
      if (lines > LINES_TO_KNOW_BY) this.#begin();
    }
    reader.finish();
    this.#begin();
    if (this.#begun === undefined) throw new RangeError("Cannot compare a recording that has no operation");
    const { how, seen, comparison } = this.#begun;
    const { overlaps } = comparison;
    return { profile: how.profile, how, seen, overlaps, conformance: { ...comparison.result(), lines } };
  }

  #take(stretch: RecordedStretch): void {
    if (this.#begun !== undefined) return this.#begun.comparison.push(stretch);
    this.#watcher.look(stretch);
    this.#waiting.push(stretch);
  }

  /** Enough was seen to know the kernel: what waited is compared. */
  #begin(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const seen = this.#watcher.kernel;
    const profile = this.#profile ?? profileOf(seen, first.header, this.#options.release);
    const { prefixed, hidden } = seen.signs;
    const { level = DEFAULT_LEVEL } = this.#options;
    const { file } = this.#options;
    const named = file === undefined ? {} : { file };
    const how = { ...named, profile, level, era: seen.era ?? "3.11", prefixed, hidden, telling: new Map() } as const;
    const comparison = new Comparison(how);
    this.#begun = { how, seen, comparison };
    for (const stretch of this.#waiting) comparison.push(stretch);
    this.#waiting = [];
  }
}
