import { type Profile, type Vm, withStrategy } from "@mmu-lab/machine";
import { EEXIST } from "@mmu-lab/memslots";
import type { MemslotOperation, Scenario } from "@mmu-lab/workloads";
import { InputError } from "./input_error.ts";
import { blaming, type RaceEntry } from "./load_strategies.ts";
import type { Counters } from "./measures.ts";
import { type FirstStale, runScenario, type ScenarioRun } from "./run_scenario.ts";

/** What one strategy came to. */
export interface StrategyResult {
  /** Its name. */
  readonly name: string;
  /** Whether no access went the wrong way on this run, whoever is to blame. */
  readonly sound: boolean;
  /** What was counted; see `MEASURES`. */
  readonly counters: Counters;
  /** A hash, hexadecimal, of what came of every access: the same where all of them went to the same and read the same. */
  readonly outcomes: string;
  /** The first access that went the wrong way. */
  readonly firstStale?: {
    /** Index of the operation in the scenario, from 0. */
    readonly operation: number;
    /** Number that a recording gives it. */
    readonly seq?: number;
    /** What it does. */
    readonly op: "read" | "write" | "rmw";
    /** Which vCPU. */
    readonly vcpu: number;
    /** Guest-physical address, hexadecimal with 0x. */
    readonly gpa: string;
    /** Where it should have gone. */
    readonly expected: "memory" | "device";
    /** Whether the vCPU's own MMIO cache answered. */
    readonly byCache: boolean;
  };
}

/** The same scenario under several strategies. Its JSON is the format of `compare --json`. */
export interface Comparison {
  /** Version of this format. */
  readonly version: 1;
  /** Name of the scenario. */
  readonly scenario: string;
  /** Where the scenario comes from, for people. */
  readonly source: string;
  /** How many operations it has. */
  readonly operations: number;
  /** Name of the profile; `null` where whole kernels race, and the names of the strategies are theirs. */
  readonly profile: string | null;
  /** The strategies, in the order asked for. */
  readonly strategies: readonly StrategyResult[];
}

/** What is compared, and on what. */
export interface ComparisonInput {
  /** What happens. */
  readonly scenario: Scenario;
  /** Where it comes from, for people. */
  readonly source: string;
  /** Whether somebody wrote it, so that a memslot call that the kernel refuses is a mistake. */
  readonly written: boolean;
  /** The kernel and processor, for all that bring none of their own. */
  readonly profile: Profile;
  /** Who races. */
  readonly entries: readonly RaceEntry[];
  /** Called now and then: who runs, and how many operations are done of how many in all runs together. */
  readonly progress?: (name: string, done: number, total: number) => void;
}

/**
 * Runs a scenario under each strategy, each on a fresh VM, and counts.
 *
 * @throws {InputError} If a strategy from outside fails, or a written scenario asks for a slot that the kernel refuses.
 */
export function compareStrategies(input: ComparisonInput): Comparison {
  const { scenario, source, profile, entries, progress } = input;
  const length = scenario.operations.length;
  const onOne = entries.every((entry) => entry.profile === undefined);
  const strategies = entries.map((entry, runner) => {
    const done = (operations: number) => progress?.(entry.name, runner * length + operations, entries.length * length);
    const run = blaming(
      entry,
      () =>
        runScenario(scenario, withStrategy(entry.profile ?? profile, entry.create, entry.name), {
          progress: done,
          ...(input.written ? { refused: (...call) => refuse(source, ...call) } : {}),
        }),
    );
    return resultOf(entry.name, run);
  });
  return {
    version: 1,
    scenario: scenario.name,
    source,
    operations: length,
    profile: onOne ? profile.name : null,
    strategies,
  };
}

function resultOf(name: string, { counters, outcomes: hash, firstStale: stale }: ScenarioRun): StrategyResult {
  const sound = counters.staleAccesses === 0;
  const outcomes = hash.toString(16).padStart(14, "0");
  if (stale === undefined) return { name, sound, counters, outcomes };
  const { op, vcpu, seq } = stale.operation as FirstStale["operation"] & { readonly seq?: number };
  const { index, expected, byCache } = stale;
  const gpa = `0x${stale.gpa.toString(16)}`;
  const numbered = seq === undefined ? {} : { seq };
  return {
    name,
    sound,
    counters,
    outcomes,
    firstStale: { operation: index, ...numbered, op, vcpu, gpa, expected, byCache },
  };
}

function refuse(source: string, operation: MemslotOperation, index: number, errno: number, vm: Vm): never {
  const { id, gpa, size, asId = 0 } = operation;
  const other = errno !== EEXIST
    ? undefined
    : [...vm.memslots[asId].active].find((slot) =>
      slot.id !== id && gpa < (slot.baseGfn + slot.npages) * 4096 && slot.baseGfn * 4096 < gpa + size
    );
  const problem = other === undefined
    ? `asks for slot ${id}, which the kernel refuses (errno ${-errno})`
    : `asks for slot ${id}, which overlaps slot ${other.id} (EEXIST)`;
  const mend = other === undefined
    ? "correct its id, gpa, size, flags or userspaceAddr"
    : "move it, or delete that first";
  throw new InputError(`${source}: Cannot run the scenario: operations[${index}] ${problem}; ${mend}`);
}
