import {
  countPreemptions,
  DEFAULT_MAX_STATES,
  type ExplorationReport,
  explore,
  parseSchedule,
  pctScheduler,
  randomScheduler,
  replay,
  roundRobinScheduler,
  sample,
  type Scheduler,
  type WorldFactory,
} from "@mmu-lab/explorer";
import type { CommandArgs } from "./command_args.ts";
import { InputError, messageOf } from "./input_error.ts";
import { formatNumber } from "./text_table.ts";
import { named } from "./suggest.ts";

/** What a check found. */
export interface CheckOutcome {
  /** The report. */
  readonly report: ExplorationReport;
  /** What was covered, in words, where that is not everything. */
  readonly covered: string;
}

/** Looks for what goes wrong in a world. */
export type CheckSearch = (
  world: WorldFactory,
  onProgress: (done: number, total: number, what: string) => void,
) => CheckOutcome;

/** A way to choose schedules, with the options that are its own. */
interface CheckScheduler {
  /** What it does, in one line. */
  readonly summary: string;
  /** Options that only some schedulers take, and this one does. */
  readonly options: readonly string[];
  /** Makes the search from the options. */
  readonly search: (args: CommandArgs) => CheckSearch;
}

const DEFAULT_RUNS = 1000;
const MAX_SEED = 2 ** 32 - 1;

/** The values of `--scheduler`. */
export const CHECK_SCHEDULERS: Readonly<Record<string, CheckScheduler>> = {
  dfs: {
    summary: "every interleaving, depth first; few preemptions first",
    options: ["preemptions", "max-states"],
    search: dfs,
  },
  pct: {
    summary: "random priorities with few changes, as in probabilistic concurrency testing",
    options: ["runs", "seed"],
    search: (args) => sampled(pctScheduler({ seed: seedOf(args) }), runsOf(args)),
  },
  random: {
    summary: "each that can go on has the same chance at each step",
    options: ["runs", "seed"],
    search: (args) => sampled(randomScheduler(seedOf(args)), runsOf(args)),
  },
  "round-robin": { summary: "by turns: one schedule", options: [], search: () => sampled(roundRobinScheduler(), 1) },
  replay: { summary: "the schedule that --schedule gives", options: ["schedule"], search: replayed },
};

/**
 * Makes the search that the options ask for.
 *
 * @throws {InputError} If they do not fit each other.
 */
export function checkSearchOf(args: CommandArgs): CheckSearch {
  const given = args.text("scheduler");
  const name = given ?? (args.text("schedule") === undefined ? "dfs" : "replay");
  const scheduler = named("scheduler", name, CHECK_SCHEDULERS);
  const every = Object.entries(CHECK_SCHEDULERS);
  for (const option of new Set(every.flatMap(([, { options }]) => options))) {
    if (args.text(option) === undefined || scheduler.options.includes(option)) continue;
    const users = every.filter(([, { options }]) => options.includes(option)).map(([user]) => user);
    throw new InputError(`Option '--${option}' is for --scheduler ${users.join(" or ")}, not for ${name}`);
  }
  return scheduler.search(args);
}

function dfs(args: CommandArgs): CheckSearch {
  const preemptions = args.integer("preemptions", 0, 1000);
  const maxStates = args.integer("max-states", 1, 2 ** 24 - 1) ?? DEFAULT_MAX_STATES;
  return (world, onProgress) => {
    const report = explore(world, {
      maxStates,
      ...(preemptions !== undefined && { preemptions }),
      onProgress: ({ states }) => onProgress(states, maxStates, `${formatNumber(states)} states so far, of the budget`),
    });
    return { report, covered: `${formatNumber(report.states)} states, in none of which anything was wrong` };
  };
}

function sampled(scheduler: Scheduler, runs: number): CheckSearch {
  return (world) => {
    const report = sample(world, scheduler, runs);
    const schedules = report.runs === 1 ? "one schedule" : `${formatNumber(report.runs)} schedules`;
    return { report, covered: `${schedules}, in which nothing was wrong` };
  };
}

function replayed(args: CommandArgs): CheckSearch {
  const schedule = args.required("schedule");
  return (world) => {
    try {
      const { steps, violation, done } = replay(world, schedule);
      const { properties = [] } = world();
      const counts = { properties, runs: 1, steps: steps.length, states: steps.length, pruned: 0, depth: steps.length };
      const report = { exhaustive: false, scheduler: "replay", ...counts } as const;
      if (violation !== undefined) {
        const found = { message: violation, schedule, ...sizeOf(world, schedule) };
        return { report: { verdict: "unsound", ...report, violation: found }, covered: "" };
      }
      const end = done ? "" : ", which ends before all are done";
      return {
        report: { verdict: "budget exhausted", ...report },
        covered: `one schedule${end}; nothing was wrong in it`,
      };
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
      throw new InputError(`Cannot replay '${schedule}' here: ${messageOf(error)}`, { cause: error });
    }
  };
}

function sizeOf(world: WorldFactory, schedule: string): { steps: number; preemptions: number } {
  const choices = parseSchedule(schedule, world().actors.length);
  return { steps: choices.length, preemptions: countPreemptions(world, choices) };
}

function runsOf(args: CommandArgs): number {
  return args.integer("runs", 1, 10_000_000) ?? DEFAULT_RUNS;
}

function seedOf(args: CommandArgs): number {
  return args.integer("seed", 0, MAX_SEED) ?? 0;
}
