import { PROFILES } from "@mmu-lab/machine";
import { parseTrace, readTraceLines } from "@mmu-lab/tracing";
import { readRecordingStream, type Recording, WORKLOADS } from "@mmu-lab/workloads";
import { type Command, ExitCode } from "./command.ts";
import { compareStrategies } from "./comparison.ts";
import { DEFAULT_PROFILE, DEFAULT_WORKLOAD } from "./compare_command.ts";
import { EVENT_COUNTS, modelCounts, recordedCounts } from "./event_counts.ts";
import { formatComparison } from "./format_comparison.ts";
import type { Io } from "./io.ts";
import type { LoadedScenario } from "./load_scenario.ts";
import { defaultStrategies } from "./load_strategies.ts";
import { formatNumber, textTable } from "./text_table.ts";
import { wrapText } from "./wrap_text.ts";

/** A boot-like scenario, recorded from the kernel that the 2013 series went into. */
const RECORDING = "linux-3.11-ept/ept/s11.trace.txt.gz";
const RECORDING_URL: URL = new URL(`../fidelity/testdata/${RECORDING}`, import.meta.url);
/** The profile of that kernel. */
const RECORDED_PROFILE = "linux_3_11_ept";
/** Shadow pages of the generated workload: enough for a walk over all of them to hurt. */
const PAGES = 8192;

/** `lab demo`: the lab at work, in under a minute. */
export const demoCommand: Command = {
  name: "demo",
  summary: "see the lab at work: a real kernel's recording, then a workload where the full walk hurts",
  options: [],
  examples: [{ args: "demo", does: "about a second" }],
  async run(_args, io) {
    const recording = await readDemoRecording(io);
    io.stdout(
      `1. A boot-like run, recorded from the first kernel with the MMIO generation:\n` +
        `   Linux 3.11 on Intel EPT (${RECORDING}). Beside it, what\n` +
        `   the model does with the same operations under ${RECORDED_PROFILE}.\n\n` +
        facts(recording),
    );
    const source = `the recording ${RECORDING}`;
    io.stdout(
      `\n2. The same operations under three strategies.\n\n` + compare({ scenario: recording.scenario, source }),
    );
    const scenario = WORKLOADS[DEFAULT_WORKLOAD].generate({ pages: PAGES, vcpus: 1, seed: 0 });
    io.stdout(
      `\n3. A VM with many shadow pages, where the walk of Linux 3.10 hurts.\n\n` +
        compare({ scenario, source: `the workload ${DEFAULT_WORKLOAD}, ${PAGES} pages` }) +
        `\nGo on: deno task lab compare --strategies ./examples/my_strategy.ts,generation\n` +
        `       deno task lab decode 0xfff00000fee00b4e --layout linux_3_11_ept\n` +
        `       deno task lab help\n`,
    );
    return ExitCode.DONE;
  },
};

async function readDemoRecording(io: Io): Promise<Recording> {
  const options = { file: RECORDING };
  const stream = await io.readFile(decodeURIComponent(RECORDING_URL.pathname));
  return await readRecordingStream(parseTrace(readTraceLines(stream, options), options), options);
}

function facts(recording: Recording): string {
  const recorded = recordedCounts(recording);
  const model = modelCounts(recording.scenario, RECORDED_PROFILE);
  const rows = EVENT_COUNTS.map(({ key, label }) => [label, formatNumber(recorded[key]), formatNumber(model[key])]);
  const table = textTable([["", "recorded", "model"], ...rows]);
  if (model.staleByCache === 0) return table;
  const remark = `${model.staleByCache} of the accesses that a device served were to pages that had become memory: ` +
    "the vCPU's own MMIO cache of that release answers for them (bug B01).";
  return `${table}\n${wrapText(remark)}\n`;
}

function compare(loaded: Pick<LoadedScenario, "scenario" | "source">): string {
  const profile = PROFILES[DEFAULT_PROFILE];
  const { entries } = defaultStrategies(profile);
  return formatComparison(compareStrategies({ ...loaded, written: false, profile, entries }));
}
