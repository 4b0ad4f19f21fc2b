import { MARKER_EVENT, type TraceLine } from "@mmu-lab/tracing";
import {
  inferScenarioStream,
  readRecordingStream,
  type Scenario,
  ScenarioError,
  validateScenario,
} from "@mmu-lab/workloads";
import { InputError, messageOf } from "./input_error.ts";
import { type Io, readText } from "./io.ts";
import { linesOf, readTraceFile } from "./read_trace_file.ts";

/** A scenario from a file. */
export interface LoadedScenario {
  /** The scenario. */
  readonly scenario: Scenario;
  /** Where it comes from, for people. */
  readonly source: string;
  /** Whether somebody wrote it, so that a memslot call that the kernel refuses is a mistake. */
  readonly written: boolean;
  /** What to tell the user about it. */
  readonly notes: readonly string[];
}

/** Lines among which a recording has its first marker. */
const MARKERS_WITHIN = 1000;

/**
 * Makes a scenario of a file: of a scenario as JSON (`*.json`), of a recording with markers, or of any other trace with
 * MMIO exits.
 *
 * @param path The file; a trace may be compressed with gzip.
 * @param io Reads it.
 * @throws {InputError} If the file cannot be read, or is none of these; the message names the line and the mend.
 */
export async function loadScenario(path: string, io: Io): Promise<LoadedScenario> {
  return /\.json$/i.test(path)
    ? await fromJson(path, io)
    : await readTraceFile(path, io, (open) => fromLines(path, linesOf(open)));
}

async function fromLines(path: string, lines: AsyncGenerator<TraceLine>): Promise<LoadedScenario> {
  const options = { file: path };
  const { hasMarkers, all } = await lookForMarkers(lines);
  if (hasMarkers) {
    const { scenario } = await readRecordingStream(all, options);
    return { scenario, source: `the recording ${path}`, written: false, notes: [] };
  }
  const name = path.replace(/^.*[\\/]/, "").replace(/(?:\.trace)?(?:\.txt)?(?:\.gz)?$/, "");
  const { scenario, accesses, updates, couldNot } = await inferScenarioStream(all, { ...options, name });
  const notes = [
    `${path} has no markers: inferred ${accesses} MMIO accesses and ${updates} memslot updates, but could not`,
    ...couldNot.map((regret) => `  ${regret}`),
  ];
  return { scenario, source: `the trace ${path}`, written: false, notes };
}

/** Looks at the first lines for a marker; returns all lines again. */
async function lookForMarkers(
  lines: AsyncGenerator<TraceLine>,
): Promise<{ hasMarkers: boolean; all: AsyncIterable<TraceLine> }> {
  const head: TraceLine[] = [];
  let hasMarkers = false;
  while (!hasMarkers && head.length < MARKERS_WITHIN) {
    const { value, done } = await lines.next();
    if (done) break;
    head.push(value);
    hasMarkers = (value.name === MARKER_EVENT || value.name === "print") && /(?:^|: )seq=\d+ op=/.test(value.text);
  }
  async function* all(): AsyncGenerator<TraceLine> {
    yield* head;
    yield* lines;
  }
  return { hasMarkers, all: all() };
}

async function fromJson(path: string, io: Io): Promise<LoadedScenario> {
  const text = await readText(io, path);
  try {
    return { scenario: validateScenario(JSON.parse(text)), source: path, written: true, notes: [] };
  } catch (error) {
    if (error instanceof ScenarioError) throw new InputError(`${path}: ${messageOf(error)}`, { cause: error });
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(`Cannot read the scenario ${path}: it is no JSON: ${messageOf(error)}`, { cause: error });
  }
}
