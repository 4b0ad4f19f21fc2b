import {
  CHECK_SCENARIOS,
  type CheckScenario,
  checkScenario,
  type ScenarioSize,
  vmWorld,
  type VmWorldOptions,
} from "@mmu-lab/checker";
import { formatReport, formatStory, replay, type WorldFactory } from "@mmu-lab/explorer";
import { narrowEra } from "@mmu-lab/invalidation";
import { type Profile, PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import { CHECK_SCHEDULERS, type CheckOutcome, checkSearchOf } from "./check_search.ts";
import { type Command, ExitCode } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { InputError } from "./input_error.ts";
import type { Io } from "./io.ts";
import { blaming, loadStrategies, type RaceEntry } from "./load_strategies.ts";
import { withProgress } from "./progress.ts";
import { named } from "./suggest.ts";

/** The kernel that is checked unless told: the first without a bug that two accesses and an update could show. */
const DEFAULT_CHECKED = "linux_4_4_ept";
/** The scenario that is checked unless told. */
const DEFAULT_SCENARIO = "create-used";
/** Bits that the generation is cut to unless told. */
const DEFAULT_BITS = 3;

/** Actors have letters, and one of them makes the updates. */
const MOST_VCPUS = 25;
/** More would take longer than anybody waits. */
const MOST_UPDATES = 100;

/** What is checked: a kernel with a strategy. */
interface Checked {
  readonly profile: Profile;
  /** The profile's name, without the strategy's. */
  readonly name: string;
  readonly strategy: string;
  /** Bits of the generation, if it was cut. */
  readonly bits: number | undefined;
  readonly blame: RaceEntry["blame"];
}

/** `lab check`: is a strategy right in every interleaving of a small scenario? */
export const checkCommand: Command = {
  name: "check",
  summary: "try every interleaving of a small scenario, and tell whether any goes wrong",
  options: [
    {
      name: "strategy",
      value: "NAME|FILE",
      summary: "whom to check; the profile's own unless told; FILE as for compare",
    },
    { name: "profile", value: "P", summary: `kernel and processor; ${DEFAULT_CHECKED} unless told` },
    { name: "scenario", value: "S|all", summary: `what happens; ${DEFAULT_SCENARIO} unless told; see below` },
    { name: "vcpus", value: "N", summary: `vCPUs, 1 to ${MOST_VCPUS}; 2 unless told` },
    {
      name: "updates",
      value: "N",
      summary: `memslot updates, 1 to ${MOST_UPDATES}, every second undone; 1 unless told`,
    },
    { name: "bits", value: "N|full", summary: `bits of the generation, 3 or more; ${DEFAULT_BITS} unless told` },
    { name: "scheduler", value: "S", summary: "who goes next; dfs unless told; see below" },
    { name: "preemptions", value: "K", summary: "dfs: only schedules with at most K preemptions; all unless told" },
    { name: "max-states", value: "N", summary: "dfs: give up after N states; 5,000,000 unless told" },
    { name: "runs", value: "N", summary: "pct, random: schedules to try; 1,000 unless told" },
    { name: "seed", value: "N", summary: "pct, random: seed of the schedules; 0 unless told" },
    { name: "schedule", value: "STR", summary: "replay: the schedule, as a counterexample prints it" },
    { name: "strict", summary: "a change counts once memslots are published, not when its ioctl has returned" },
    { name: "json", summary: "print one JSON object for each scenario, a line each" },
  ],
  notes: [
    "Scenarios, of two vCPUs with two accesses each and one memslot update unless told otherwise:",
    ...Object.values(CHECK_SCENARIOS).map(({ name, summary }) => `  ${name.padEnd(11)}  ${summary}`),
    "Schedulers (--scheduler):",
    ...Object.entries(CHECK_SCHEDULERS).map(([name, { summary }]) => `  ${name.padEnd(11)}  ${summary}`),
    "Properties: no stale MMIO, no stale RAM, progress, no kernel warning, no deadlock, lock order, no lock kept; at the",
    "end the books balance, and the second access to a page is answered without a slow fault. docs/check.md says more.",
    "",
    "Verdicts: 'sound within bounds' (exit code 0; only dfs can tell), 'unsound' (3; with the schedule as a story),",
    "'budget exhausted' (4: nothing is wrong in what was covered, but that is not everything). With all, the worst.",
    'JSON: {"version":1,"profile":..,"strategy":..,"scenario":..,"vcpus":..,"updates":..,"bits":null|N,',
    '"settled":"returned"|"published","report":{"verdict":"sound"|"unsound"|"budget exhausted","exhaustive":..,',
    '"scheduler":..,"properties":[..],"runs":..,"steps":..,"states":..,"pruned":..,"depth":..,',
    '"violation":{"message":..,"schedule":..,"steps":..,"preemptions":..}}}',
  ],
  examples: [
    { args: "check", does: "every interleaving of a create, over a page in use" },
    { args: "check --profile linux_3_11_ept", does: "bug B01" },
    {
      args: "check --strategy ./examples/my_strategy.ts --scenario all --preemptions 3",
      does: "a strategy of your own",
    },
    { args: "check --profile linux_3_17_ept --scheduler pct --runs 500", does: "random schedules" },
  ],
  async run(args, io) {
    const scenarios = scenariosOf(args);
    const search = checkSearchOf(args);
    const options: VmWorldOptions = { settled: args.flag("strict") ? "published" : "returned" };
    const checked = await checkedOf(args, io);
    let worst: ExitCode = ExitCode.DONE;
    for (const [i, scenario] of scenarios.entries()) {
      const world: WorldFactory = () => vmWorld(checked.profile, scenario, options);
      const outcome = await withProgress(io, (progress) => {
        const update = (done: number, total: number, what: string) =>
          progress.update(`${scenario.name}, ${what}`, done, total);
        return blaming(checked, () => search(world, update));
      });
      if (args.flag("json")) io.stdout(toJson(checked, scenario, options, outcome));
      else io.stdout((i > 0 ? "\n" : "") + toText(checked, scenario, options, outcome, world));
      worst = worse(worst, exitCodeOf(outcome));
    }
    return worst;
  },
};

function scenariosOf(args: CommandArgs): CheckScenario[] {
  const name = args.text("scenario") ?? DEFAULT_SCENARIO;
  const size: ScenarioSize = {
    vcpus: args.integer("vcpus", 1, MOST_VCPUS) ?? 2,
    updates: args.integer("updates", 1, MOST_UPDATES) ?? 1,
  };
  const chosen = name === "all" ? Object.values(CHECK_SCENARIOS) : [named("scenario", name, CHECK_SCENARIOS)];
  return chosen.map(({ name }) => checkScenario(name, size));
}

async function checkedOf(args: CommandArgs, io: Io): Promise<Checked> {
  const released = named("profile", args.text("profile") ?? DEFAULT_CHECKED, PROFILES);
  const bits = bitsOf(args, released);
  const profile = bits === undefined ? released : { ...released, era: narrowEra(released.era, bits) };
  const word = args.text("strategy");
  if (word === undefined) {
    const strategy = new Vm(profile).mmu.strategy.name;
    return { profile, name: released.name, strategy, bits, blame: () => undefined };
  }
  const [{ name, create, blame }] = await loadStrategies([word], profile, io);
  return { profile: withStrategy(profile, create, name), name: released.name, strategy: name, bits, blame };
}

function bitsOf(args: CommandArgs, { name, era }: Profile): number | undefined {
  const text = args.text("bits");
  if (text === "full") return undefined;
  if (era.mmio === null) {
    if (text === undefined) return undefined;
    throw new InputError(`Cannot use '--bits ${text}' with ${name}: its MMIO sptes store no generation`);
  }
  const most = Math.log2(era.mmio.mask + 1);
  try {
    return args.integer("bits", 3, most) ?? DEFAULT_BITS;
  } catch {
    throw new InputError(`Cannot use '--bits ${text}': expected a whole number from 3 to ${most}, or full`);
  }
}

function exitCodeOf({ report }: CheckOutcome): ExitCode {
  if (report.verdict === "unsound") return ExitCode.UNSOUND;
  return report.verdict === "sound" ? ExitCode.DONE : ExitCode.EXHAUSTED;
}

/** Unsound is worst, then not knowing. */
function worse(a: ExitCode, b: ExitCode): ExitCode {
  const order: ExitCode[] = [ExitCode.DONE, ExitCode.EXHAUSTED, ExitCode.UNSOUND];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

function toJson(checked: Checked, scenario: CheckScenario, { settled }: VmWorldOptions, { report }: CheckOutcome) {
  const { name: profile, strategy, bits = null } = checked;
  const { name, vcpus, updates } = scenario;
  const size = { vcpus: vcpus.length, updates: updates.length };
  return JSON.stringify({ version: 1, profile, strategy, scenario: name, ...size, bits, settled, report }) + "\n";
}

function toText(
  { name, strategy, bits }: Checked,
  scenario: CheckScenario,
  { settled }: VmWorldOptions,
  { report, covered }: CheckOutcome,
  world: WorldFactory,
): string {
  const cut = bits === undefined ? "" : `, generation cut to ${bits} bits`;
  const strict = settled === "published" ? ", a change counts once published" : "";
  const size = `${counted(scenario.vcpus.length, "vCPU")}, ${counted(scenario.updates.length, "update")}`;
  const heading = `${scenario.name}: ${scenario.summary}\n${strategy} on ${name}, ${size}${cut}${strict}\n\n`;
  const text = `${heading}${formatReport(report)}\n`;
  if (report.violation !== undefined) return `${text}\n${formatStory(replay(world, report.violation.schedule))}\n`;
  return report.verdict === "budget exhausted" ? `${text}  covered    ${covered}\n` : text;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
