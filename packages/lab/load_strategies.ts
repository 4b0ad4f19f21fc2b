import { type InvalidationStrategy, STRATEGIES, type StrategyFactory } from "@mmu-lab/invalidation";
import { type Profile, PROFILES, Vm, withStrategy } from "@mmu-lab/machine";
import type { Era } from "@mmu-lab/memslots";
import { type GuardedStrategy, guardStrategy } from "./guard_strategy.ts";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";
import { named } from "./suggest.ts";

/** A strategy that is ready to race. */
export interface RaceEntry {
  /** Its name. */
  readonly name: string;
  /** Makes one for a VM. */
  readonly create: StrategyFactory;
  /** The kernel that it runs on, where kernels race; that of the comparison unless told. */
  readonly profile?: Profile;
  /** Explains an error of a run under it as the strategy's own doing, if it is. */
  readonly blame: (error: unknown) => InputError | undefined;
}

/** What races unless told otherwise. */
export const DEFAULT_STRATEGIES: readonly string[] = ["fullWalk", "generation", "hybrid"];

/** Whether a word of `--strategies` is a path rather than a name. */
function isPath(word: string): boolean {
  return /[\\/]|\.[cm]?[jt]sx?$/.test(word);
}

/**
 * Gets strategies ready: those of the lab by name, others from modules.
 *
 * A module's default export is a strategy, or a function `(era) => strategy` that makes one for each VM; a strategy that
 * remembers things must be made by a function.
 *
 * @param words Names and paths of modules.
 * @param profile The profile that they are to run on.
 * @param io Loads modules.
 * @throws {InputError} If there is no such strategy, or a module's is none, or one cannot work on the profile.
 */
export async function loadStrategies(words: readonly string[], profile: Profile, io: Io): Promise<RaceEntry[]> {
  const entries: RaceEntry[] = [];
  for (const word of words) {
    const entry = isPath(word) ? await fromModule(word, profile.era, io) : fromName(word);
    tryOut(entry, profile);
    entries.push(entry);
  }
  return entries;
}

/**
 * Whole kernels that a command line asks for, each with its own strategy unless told otherwise.
 *
 * @param list Profiles, with commas between, each alone or with a strategy of the lab: `linux_3_17_ept+hybrid`.
 * @throws {InputError} If there is no such profile or strategy, or one cannot work on the other.
 */
export function chosenKernels(list: string): RaceEntry[] {
  return list.split(",").map((word) => {
    const [name, strategy, ...rest] = word.split("+");
    if (rest.length > 0) throw new InputError(`Cannot use kernel '${word}': write PROFILE or PROFILE+STRATEGY`);
    const profile = named("profile", name, PROFILES);
    const create = strategy === undefined ? profile.strategy : fromName(strategy).create;
    const entry = { name: word, create, profile, blame: () => undefined };
    tryOut(entry, profile);
    return entry;
  });
}

/**
 * The strategies that a command line asks for.
 *
 * @param list Names and paths of modules, with commas between; `undefined` for those that race unless told.
 * @returns Them, and why others that usually race are left out.
 * @throws {InputError} As {@linkcode loadStrategies}.
 */
export async function chosenStrategies(
  list: string | undefined,
  profile: Profile,
  io: Io,
): Promise<{ entries: RaceEntry[]; notes: string[] }> {
  if (list === undefined) return defaultStrategies(profile);
  const words = list.split(",").map((word) => word.trim());
  if (words.includes("")) {
    throw new InputError(`Cannot read '--strategies ${list}': expected names with commas between`);
  }
  return { entries: await loadStrategies(words, profile, io), notes: [] };
}

/**
 * Runs something under a strategy.
 *
 * @throws {InputError} Instead of an error that is the strategy's own doing; others come out as they are.
 */
export function blaming<T>({ blame }: Pick<RaceEntry, "blame">, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof InputError ? error : blame(error) ?? error;
  }
}

/**
 * The strategies that race unless told: of {@linkcode DEFAULT_STRATEGIES} those that the profile can have.
 *
 * @returns Them, and why the others are left out.
 */
export function defaultStrategies(profile: Profile): { entries: RaceEntry[]; notes: string[] } {
  const entries: RaceEntry[] = [];
  const notes: string[] = [];
  for (const entry of DEFAULT_STRATEGIES.map(fromName)) {
    try {
      tryOut(entry, profile);
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      notes.push(`${entry.name} is left out: ${error.message}`);
    }
  }
  return { entries, notes };
}

function fromName(name: string): RaceEntry {
  return { name, create: named("strategy", name, STRATEGIES).create, blame: () => undefined };
}

/** Makes a VM with it, because that is where strategies and profiles that do not fit are told. */
function tryOut({ name, create }: RaceEntry, profile: Profile): void {
  try {
    new Vm(withStrategy(profile, create, name));
  } catch (error) {
    if (error instanceof InputError || !(error instanceof RangeError)) throw error;
    throw new InputError(messageOf(error), { cause: error });
  }
}

async function fromModule(path: string, era: Era, io: Io): Promise<RaceEntry> {
  await (await io.readFile(path)).cancel();
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = await io.importModule(path);
  } catch (error) {
    throw new InputError(`Cannot load the strategy ${path}: ${messageOf(error)}`, { cause: error });
  }
  const exported = exports["default"];
  if (exported === undefined) {
    const mend = "export default a strategy, or a function (era) => strategy";
    throw new InputError(`Cannot use the strategy of ${path}: it has no default export; ${mend}`);
  }
  let last: GuardedStrategy | undefined;
  const create = (era: Era): InvalidationStrategy => {
    last = guardStrategy(typeof exported === "function" ? make(exported, era, path) : exported, path);
    return last.strategy;
  };
  const { name } = create(era);
  return {
    name,
    create,
    blame: (error) => {
      if (last?.doing === undefined) return undefined;
      return new InputError(`Strategy '${name}' (${path}) fails: ${last.doing} throws: ${messageOf(error)}`, {
        cause: error,
      });
    },
  };
}

// deno-lint-ignore ban-types -- whatever a module exports: calling it is how one finds out
function make(factory: Function, era: Era, path: string): unknown {
  try {
    return factory(era);
  } catch (error) {
    throw new InputError(`Cannot make the strategy of ${path}: it throws: ${messageOf(error)}`, { cause: error });
  }
}
