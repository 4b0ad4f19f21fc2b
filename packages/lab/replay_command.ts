import { PROFILES } from "@mmu-lab/machine";
import type { TraceLine } from "@mmu-lab/tracing";
import { type Inference, inferScenarioStream, TraceSummarizer, type TraceSummary } from "@mmu-lab/workloads";
import { type Command, ExitCode } from "./command.ts";
import { DEFAULT_PROFILE } from "./compare_command.ts";
import { compareStrategies } from "./comparison.ts";
import { formatComparison } from "./format_comparison.ts";
import { formatTraceSummary } from "./format_trace_summary.ts";
import { InputError } from "./input_error.ts";
import { chosenStrategies } from "./load_strategies.ts";
import { withProgress } from "./progress.ts";
import { readTraceFile } from "./read_trace_file.ts";
import { named } from "./suggest.ts";

/** Pages that are listed unless told. */
const DEFAULT_TOP = 10;

/** `lab replay`: what a trace of anybody's VM shows, and what each strategy would have cost on it. */
export const replayCommand: Command = {
  name: "replay",
  summary: "summarize the trace of any VM, and say what each strategy would have cost on it",
  operands: "FILE",
  options: [
    { name: "strategies", value: "A,B,..", summary: "who is asked: names, or paths of modules, as for compare" },
    { name: "profile", value: "P", summary: `kernel and processor of the model; ${DEFAULT_PROFILE} unless told` },
    { name: "top", value: "N", summary: `MMIO pages to list, hottest first; ${DEFAULT_TOP} unless told` },
    { name: "json", summary: "print one JSON object" },
  ],
  notes: [
    "FILE is the text of a trace from a real machine, Intel or AMD, as docs/record.md tells how to make one: of",
    "'trace-cmd report', of 'perf script', or of /sys/kernel/tracing/trace; gzip will do. Markers are not needed.",
    "",
    "What it could not infer is said first. The comparison runs a scenario made of what it could: the MMIO accesses, and a",
    "memslot update for each step of the generation. It is the model's answer, in work units, not the machine's.",
    "",
    'JSON: {"version":1,"file":..,"summary":{..},"inferred":{"accesses":..,"updates":..,"couldNot":[..]},"comparison":{..}};',
    "summary is TraceSummary of @mmu-lab/workloads with at most N pages, comparison is that of 'lab compare --json'.",
  ],
  examples: [{ args: "replay trace.txt", does: "a trace of your own VM" }],
  async run(args, io) {
    const [path, ...more] = args.operands;
    if (path === undefined) throw new InputError("Name a trace; docs/record.md tells how to make one");
    if (more.length > 0) throw new InputError(`Unexpected argument '${more[0]}': name one trace`);
    const top = args.integer("top", 0, 2 ** 20) ?? DEFAULT_TOP;
    const profile = named("profile", args.text("profile") ?? DEFAULT_PROFILE, PROFILES);
    const { entries, notes } = await chosenStrategies(args.text("strategies"), profile, io);
    const { summary, inference } = await read(path, io);
    const source = `the trace ${path}`;
    const { scenario } = inference;
    const comparison = await withProgress(
      io,
      (line) =>
        compareStrategies({ scenario, source, written: false, profile, entries, progress: line.update.bind(line) }),
    );
    for (const note of notes) io.stderr(`lab replay: note: ${note}\n`);
    if (args.flag("json")) {
      const { accesses, updates, couldNot } = inference;
      const shown = { ...summary, pages: summary.pages.slice(0, top) };
      const inferred = { accesses, updates, couldNot };
      io.stdout(JSON.stringify({ version: 1, file: path, summary: shown, inferred, comparison }) + "\n");
    } else {
      io.stdout(formatTraceSummary(path, summary, inference, top) + "\n" + formatComparison(comparison));
    }
    return ExitCode.DONE;
  },
};

/** Reads the trace once, for both. */
function read(
  path: string,
  io: Parameters<Command["run"]>[1],
): Promise<{ summary: TraceSummary; inference: Inference }> {
  const name = path.replace(/^.*[\\/]/, "").replace(/(?:\.txt)?(?:\.gz)?$/, "");
  return readTraceFile(path, io, async (open) => {
    const summarizer = new TraceSummarizer(undefined, path);
    const inference = await inferScenarioStream(seenBy(open(), summarizer), { file: path, name });
    return { summary: summarizer.summary(), inference };
  });
}

async function* seenBy(
  blocks: AsyncIterable<readonly TraceLine[]>,
  summarizer: TraceSummarizer,
): AsyncGenerator<TraceLine> {
  for await (const block of blocks) {
    for (const line of block) {
      summarizer.push(line);
      yield line;
    }
  }
}
