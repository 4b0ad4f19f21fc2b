/**
 * The mutation check: puts one small mistake at a time into a copy of the sources and runs the tests on it. Ends with
 * the line `N of M mutations caught`, and with exit code 1 if one was not.
 *
 * `--only ID` (again for more) checks only those, `--json` prints data instead of a table. All other flags go to
 * `deno test`.
 *
 * @module
 */
import { ROOT } from "../workspace.ts";
import { Baseline, checkMutation, type MutationResult } from "./check_mutation.ts";
import { mutate, type Mutation } from "./mutate.ts";
import { MUTATIONS } from "./mutations.ts";
import { formatReport } from "./report.ts";
import { Sandbox } from "./sandbox.ts";

/** Mutations that are checked at the same time. */
const WORKERS = 2;

/** What the command line asks for. */
export interface Options {
  /** The mutations to check. */
  readonly mutations: readonly Mutation[];
  /** Whether to print data. */
  readonly json: boolean;
  /** Flags for `deno test`. */
  readonly flags: readonly string[];
}

/**
 * Reads the command line.
 *
 * @param args Its arguments.
 * @throws {RangeError} If it names a mutation that there is not.
 */
export function parseOptions(args: readonly string[]): Options {
  const only: string[] = [];
  const flags: string[] = [];
  let json = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--json") json = true;
    else if (arg === "--only") only.push(args[++i] ?? "");
    else if (arg.startsWith("--only=")) only.push(arg.slice("--only=".length));
    else flags.push(arg);
  }
  for (const id of only) {
    if (!MUTATIONS.some((mutation) => mutation.id === id)) {
      throw new RangeError(`Cannot find mutation '${id}': there are ${MUTATIONS.map((known) => known.id).join(", ")}`);
    }
  }
  return { mutations: MUTATIONS.filter(({ id }) => only.length === 0 || only.includes(id)), json, flags };
}

/** Checks mutations, some at the same time; the results come in the order of the mutations. */
async function checkAll(
  { mutations, flags }: Options,
  folder: string,
  progress: (done: number, last: MutationResult) => void,
): Promise<{ results: MutationResult[]; failing: string[] }> {
  const sandbox = (name: string): Promise<Sandbox> => {
    Deno.mkdirSync(`${folder}/${name}`);
    return Sandbox.create(`${folder}/${name}`, flags);
  };
  const baseline = new Baseline(await sandbox("baseline"));
  const results: MutationResult[] = [];
  let next = 0;
  let done = 0;
  const work = async (worker: number): Promise<void> => {
    const own = await sandbox(`worker${worker}`);
    while (next < mutations.length) {
      const i = next++;
      results[i] = await checkMutation(mutations[i]!, own, baseline);
      progress(++done, results[i]);
    }
  };
  const workers = Math.min(WORKERS, mutations.length);
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return { results, failing: [...baseline.failing].sort() };
}

/** Runs the check; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  // Fail before anything takes time, and on the sources as they are.
  for (const mutation of options.mutations) mutate(mutation, Deno.readTextFileSync(`${ROOT}/${mutation.file}`));

  const terminal = Deno.stderr.isTerminal();
  const total = options.mutations.length;
  const show = (text: string): void => {
    if (terminal) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
  };
  Deno.mkdirSync(`${ROOT}/.cache`, { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: `${ROOT}/.cache`, prefix: "mutation-" });
  const clean = (): void => Deno.removeSync(folder, { recursive: true });
  Deno.addSignalListener("SIGINT", () => {
    clean();
    Deno.exit(130);
  });
  const began = performance.now();
  try {
    show(`0 of ${total} mutations checked`);
    const { results, failing } = await checkAll(options, folder, (done, { id, caught }) => {
      show(`${done} of ${total} mutations checked; ${id} ${caught === undefined ? "survived" : "caught"}`);
    });
    show("");
    if (failing.length > 0) console.error(`Not asked, as they fail without any mutation: ${failing.join(", ")}`);
    const caught = results.filter((result) => result.caught !== undefined).length;
    const seconds = (performance.now() - began) / 1000;
    console.log(
      options.json
        ? JSON.stringify({ caught, total, seconds: Number(seconds.toFixed(1)), mutations: results }, null, 2)
        : formatReport(results),
    );
    return caught === total ? 0 : 1;
  } finally {
    clean();
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(2);
  }
}
