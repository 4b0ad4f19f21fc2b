import { type Profile, PROFILES, withStrategy } from "@mmu-lab/machine";
import { WORK_KINDS, type WorkKind } from "@mmu-lab/protocol";
import { COST_PRESETS, type CostModel, costsOf } from "@mmu-lab/simulator";
import { type Command, ExitCode, type OptionSpec } from "./command.ts";
import { type CommandArgs, parseInteger } from "./command_args.ts";
import { DEFAULT_PROFILE } from "./compare_command.ts";
import { InputError } from "./input_error.ts";
import { blaming, chosenStrategies } from "./load_strategies.ts";
import { withProgress } from "./progress.ts";
import { formatSimulations } from "./simulate_format.ts";
import {
  DEFAULT_LOAD,
  mostUpdates,
  UPDATE_KINDS,
  type UpdateKind,
  updatesBeforeWrap,
  type VmLoad,
} from "./simulate_load.ts";
import { summarize } from "./simulate_summary.ts";
import { simulateVm } from "./simulate_vm.ts";
import { named } from "./suggest.ts";

/** The cost model unless told: a processor of the time when the generation was made. */
const DEFAULT_COST = "nehalem-2011";

/** Largest cost of a piece of work that is taken, in cycles; sums stay exact. */
const MAX_COST = 10_000_000;

type NumberKey = Exclude<keyof VmLoad, "updateKind" | "updatesBefore">;

/** Options that are numbers of the load. */
const NUMBERS: readonly (OptionSpec & { key: NumberKey; min: number; max: number })[] = [
  number("vcpus", "vcpus", "N", "vCPUs", 1, 256),
  number("pages", "pages", "N", "leaf tables, a shadow page each, that map the guest's RAM", 1, 2 ** 18),
  number("accesses", "accesses", "N", "MMIO accesses of each vCPU", 1, 2 ** 20),
  number("think", "think", "CYCLES", "what a vCPU does beside, after each access, on average", 0, 2 ** 32 - 2),
  number("updates", "updates", "N", "memslot updates", 0, 2 ** 20),
  number("interval", "interval", "CYCLES", "from one update to the next", 0, 2 ** 40),
  number("sweep-interval", "sweepInterval", "CYCLES", "from one piece of background work to the next", 1000, 2 ** 40),
  number("seed", "seed", "N", "seed of what is left to chance", 0, 2 ** 32 - 1),
];

/** `lab simulate`: several strategies under load, in virtual time. */
export const simulateCommand: Command = {
  name: "simulate",
  summary: "run vCPUs and memslot updates in virtual time, and tell how long they wait",
  options: [
    { name: "strategies", value: "A,B,..", summary: "who: names, or paths of modules; as for compare" },
    { name: "profile", value: "P", summary: `kernel and processor; ${DEFAULT_PROFILE} unless told` },
    ...NUMBERS.map(({ name, value, summary }) => ({ name, value: value!, summary })),
    { name: "update-kind", value: "K", summary: `what updates do; ${DEFAULT_LOAD.updateKind} unless told; see below` },
    { name: "wrap", summary: "begin near the wrap of the generation, so that it falls amid the updates" },
    { name: "cost", value: "C", summary: `cost model; ${DEFAULT_COST} unless told; see below` },
    { name: "json", summary: "print one JSON object for each strategy, a line each" },
  ],
  notes: [
    "Each vCPU accesses four device pages, two of its own and two that all share, served by user space. Meanwhile one",
    "thread changes memslots that the guest does not touch, and the strategy does its background work. Locks are fair.",
    "The result is the same on every machine. It is virtual time: work counts by the cycles of a cost model. It shows who",
    "waits for whom, and what grows with what; it does not predict nanoseconds. Whether a strategy is sound is not asked",
    "here: lab compare tells.",
    "",
    "Updates (--update-kind):",
    ...Object.entries(UPDATE_KINDS).map(([kind, does]) => `  ${kind.padEnd(6)}  ${does}`),
    "Cost models (--cost); packages/simulator/cost_presets.ts has a source for each number:",
    ...Object.values(COST_PRESETS).map(({ name, summary }) => `  ${name.padEnd(12)}  ${summary}`),
    "  Numbers may be changed: --cost nehalem-2011,gracePeriods=50000",
    "",
    'JSON: {"version":1,"strategy":..,"profile":..,"cost":..,"wrap":..} with the numbers of the load, then shadowPages,',
    "cycles, throughput (accesses a million cycles), mmio, mmioDuringUpdates, update: {count,sum,min,p50,p99,p999,max};",
    "mmioByVcpu: such an object for each vCPU; locks: [{name,acquisitions,contended,totalWait,longestWait,totalHold,",
    "longestHold}]; readersWait; backgroundWork; work: the counts of each kind of work. All times in cycles. Percentiles",
    "are bounds from above, off by less than 1 in 512; all other numbers are exact.",
  ],
  examples: [
    { args: "simulate", does: "three strategies under load, in virtual time" },
    { args: "simulate --vcpus 64 --pages 16384", does: "a walk that many wait for" },
    { args: "simulate --wrap --strategies generation,hybrid", does: "the wrap of the generation" },
    { args: "simulate --cost epyc-2020,pagesVisited=200 --json", does: "other costs, for programs" },
  ],
  async run(args, io) {
    const profile = named("profile", args.text("profile") ?? DEFAULT_PROFILE, PROFILES);
    const cost = args.text("cost") ?? DEFAULT_COST;
    const costs = parseCost(cost);
    const wrap = args.flag("wrap");
    const load = loadOf(args, profile, wrap);
    const { entries, notes } = await chosenStrategies(args.text("strategies"), profile, io);
    for (const note of notes) io.stderr(`lab simulate: note: ${note}\n`);

    const total = load.vcpus * load.accesses;
    const summaries = await withProgress(io, (progress) =>
      entries.map((entry, nth) => {
        const update = (done: number) => progress.update(entry.name, nth * total + done, entries.length * total);
        const input = { strategy: entry.name, profile: profile.name, cost, wrap, load };
        const raced = withStrategy(profile, entry.create, entry.name);
        return summarize(input, blaming(entry, () => simulateVm(raced, load, costs, update)));
      }));
    io.stdout(
      args.flag("json")
        ? summaries.map((summary) => JSON.stringify(summary) + "\n").join("")
        : formatSimulations(summaries, profile),
    );
    return ExitCode.DONE;
  },
};

function loadOf(args: CommandArgs, profile: Profile, wrap: boolean): VmLoad {
  const updateKind = args.text("update-kind") ?? DEFAULT_LOAD.updateKind;
  named("kind of update", updateKind, UPDATE_KINDS);
  const numbers = Object.fromEntries(NUMBERS.map(({ name, key, min, max }) => [
    key,
    args.integer(name, min, max) ?? DEFAULT_LOAD[key],
  ]));
  const load: VmLoad = { ...DEFAULT_LOAD, ...numbers, updateKind: updateKind as UpdateKind };
  const most = mostUpdates(profile, load.updateKind);
  if (load.updates > most) {
    throw new InputError(
      `Cannot ${load.updateKind} ${load.updates} slots on ${profile.name}: it has ${most} to spare; ` +
        "ask for fewer updates, or for --update-kind flags",
    );
  }
  if (!wrap) return load;
  if (profile.era.mmio === null) {
    throw new InputError(`Cannot use '--wrap' with ${profile.name}: its MMIO sptes store no generation`);
  }
  if (load.updates === 0) throw new InputError("Cannot use '--wrap' with '--updates 0': ask for at least one update");
  return { ...load, updatesBefore: updatesBeforeWrap(profile, load) };
}

/** Reads a cost model: a preset, and numbers that differ from it. */
function parseCost(text: string): CostModel {
  const [name, ...changes] = text.split(",").map((word) => word.trim());
  const preset = named("cost model", name, COST_PRESETS);
  const kinds = Object.fromEntries(WORK_KINDS.map((kind) => [kind.name, kind.name]));
  const changed: Partial<Record<WorkKind, number>> = {};
  for (const change of changes) {
    const [kind, value = ""] = change.split("=");
    const cycles = parseInteger(value);
    if (cycles === undefined || cycles > MAX_COST) {
      throw new InputError(`Cannot read '${change}' in '--cost ${text}': expected such as gracePeriods=50000`);
    }
    changed[named("kind of work", kind, kinds)] = cycles;
  }
  return costsOf(preset, changed);
}

function number(name: string, key: NumberKey, value: string, summary: string, min: number, max: number) {
  return { name, key, value, summary: `${summary}; ${DEFAULT_LOAD[key]} unless told`, min, max };
}
