import { type Profile, PROFILES } from "@mmu-lab/machine";
import { WORKLOADS } from "@mmu-lab/workloads";
import { type Command, ExitCode } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { compareStrategies } from "./comparison.ts";
import { formatComparison } from "./format_comparison.ts";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";
import { type LoadedScenario, loadScenario } from "./load_scenario.ts";
import { chosenKernels, chosenStrategies, type RaceEntry } from "./load_strategies.ts";
import { MEASURES } from "./measures.ts";
import { withProgress } from "./progress.ts";
import { named } from "./suggest.ts";

/** The profile that strategies race on unless told: the first kernel whose vCPU cache does not answer for them. */
export const DEFAULT_PROFILE = "linux_3_17_ept";
/** The workload that is generated unless told. */
export const DEFAULT_WORKLOAD = "many-pages";

/** Size options of generated workloads, with what they may be. */
const SIZES = [
  { name: "pages", value: "N", summary: "size of a generated workload; see: lab list workloads", min: 1, max: 2 ** 20 },
  { name: "vcpus", value: "N", summary: "vCPUs of a generated workload; 1 unless told", min: 1, max: 1024 },
  { name: "seed", value: "N", summary: "seed of a generated workload; 0 unless told", min: 0, max: 2 ** 32 - 1 },
] as const;

/** `lab compare`: the same scenario under several strategies. */
export const compareCommand: Command = {
  name: "compare",
  summary: "run one scenario under several strategies, and count",
  operands: "[TRACE...]",
  options: [
    { name: "strategies", value: "A,B,..", summary: "who races: names, or paths of modules; see below" },
    {
      name: "kernels",
      value: "P,Q,..",
      summary: "whole kernels race instead, each with its own strategy, or P+STRATEGY",
    },
    { name: "profile", value: "P", summary: `kernel and processor; ${DEFAULT_PROFILE} unless told` },
    { name: "workload", value: "W", summary: `what to generate without TRACE; ${DEFAULT_WORKLOAD} unless told` },
    ...SIZES,
    { name: "json", summary: "print one JSON object for each scenario, a line each" },
  ],
  notes: [
    "TRACE is a recording with markers; any other ftrace, trace-cmd or perf text with kvm_mmio events, from which a",
    "scenario is inferred as far as possible; or a scenario as JSON (*.json). Traces may be compressed with gzip.",
    "Strategies: fullWalk, generation and hybrid unless told; see: lab list strategies. A path such as ./mine.ts is a",
    "module whose default export is a strategy, or a function (era) => strategy that makes one for each VM.",
    "The profile is linux_3_17_ept because 3.11 as released has bug B01: a vCPU's own MMIO cache answers for a page that",
    "has become memory, whatever the strategy. --profile linux_3_11_ept shows it.",
    "",
    "With --kernels a column is a kernel, and profile is null in JSON.",
    "",
    'JSON: {"version":1,"scenario":..,"source":..,"operations":..,"profile":..,"strategies":[{"name":..,"sound":true,',
    '"counters":{..},"outcomes":"..","firstStale":{..}}]}; sound says that no access went the wrong way on this run,',
    "firstStale is there where one did; outcomes is a hash of what came of every access, memory or device, and what was",
    "read. The counters, exact and the same on every machine:",
    ...MEASURES.map(({ key, doc }) => `  ${key.padEnd(16)}  ${doc}`),
  ],
  examples: [
    { args: "compare", does: "a generated workload with many shadow pages" },
    { args: "compare trace.txt.gz --strategies generation,none", does: "a recorded trace" },
    { args: "compare --strategies ./examples/my_strategy.ts,generation", does: "a strategy of your own" },
    { args: "compare --workload random --profile linux_3_11_ept", does: "bug B01" },
    {
      args: "compare trace.txt.gz --kernels linux_3_10_ept,linux_3_11_ept,linux_5_13_ept,linux_5_13_ept+hybrid",
      does: "what other kernels would have done with the same guest",
    },
  ],
  async run(args, io) {
    const profile = named("profile", args.text("profile") ?? DEFAULT_PROFILE, PROFILES);
    const { entries, notes } = await entriesOf(args, profile, io);
    const scenarios = await scenariosOf(args, io);
    const comparisons = await withProgress(io, (line) => {
      const progress = line.update.bind(line);
      return scenarios.map((scenario) => compareStrategies({ ...scenario, profile, entries, progress }));
    });
    for (const note of [...notes, ...scenarios.flatMap((scenario) => scenario.notes)]) {
      io.stderr(`lab compare: note: ${note}\n`);
    }
    const texts = comparisons.map((comparison) =>
      args.flag("json") ? JSON.stringify(comparison) + "\n" : formatComparison(comparison)
    );
    io.stdout(texts.join(args.flag("json") ? "" : "\n"));
    return ExitCode.DONE;
  },
};

async function entriesOf(
  args: CommandArgs,
  profile: Profile,
  io: Io,
): Promise<{ entries: RaceEntry[]; notes: string[] }> {
  const kernels = args.text("kernels");
  if (kernels === undefined) return await chosenStrategies(args.text("strategies"), profile, io);
  const stray = ["profile", "strategies"].find((name) => args.text(name) !== undefined);
  if (stray !== undefined) {
    throw new InputError(`Option '--${stray}' does not go with '--kernels': leave out one of them`);
  }
  return { entries: chosenKernels(kernels), notes: [] };
}

async function scenariosOf(args: CommandArgs, io: Io): Promise<LoadedScenario[]> {
  const { operands } = args;
  if (operands.length === 0) return [generated(args)];
  const stray = ["workload", ...SIZES.map(({ name }) => name)].find((name) => args.text(name) !== undefined);
  if (stray !== undefined) {
    throw new InputError(`Option '--${stray}' is for generated workloads: leave out it or '${operands[0]}'`);
  }
  const scenarios: LoadedScenario[] = [];
  for (const path of operands) scenarios.push(await loadScenario(path, io));
  return scenarios;
}

function generated(args: CommandArgs): LoadedScenario {
  const name = args.text("workload") ?? DEFAULT_WORKLOAD;
  const workload = named("workload", name, WORKLOADS);
  const [pages = workload.defaultPages, vcpus = 1, seed = 0] = SIZES.map(({ name, min, max }) =>
    args.integer(name, min, max)
  );
  try {
    const scenario = workload.generate({ pages, vcpus, seed });
    const source = `the workload ${name}, pages ${pages}, vcpus ${vcpus}, seed ${seed}`;
    return { scenario, source, written: false, notes: [] };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(messageOf(error), { cause: error });
  }
}
