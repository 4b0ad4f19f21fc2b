/**
 * Runs all tests, and ends with the line `N passed, N failed`. The tests of the packages and the snippets in their
 * documentation run with less than the tests of these tools, which start processes: hence two runs.
 *
 * Arguments that are paths choose what is tested; all others go to `deno test`.
 *
 * @module
 */

import { exists, ROOT } from "./workspace.ts";

/** What one run of `deno test` reports. */
export interface Outcome {
  /** Number of tests that passed. */
  passed: number;
  /** Number of tests that failed. */
  failed: number;
}

/** One run of `deno test`: its permission set and its paths. */
interface Run {
  flags: string[];
  paths: string[];
}

const RUNS: readonly Run[] = [
  { flags: ["-P=test", "--doc"], paths: ["packages", "examples", "bench", "docs", "README.md"] },
  { flags: ["-P=tools"], paths: ["tools"] },
];

/**
 * Finds the counts in the output of `deno test`.
 *
 * @param output The output, with or without colours.
 * @returns The counts, or nothing when there is no result, as after a type error.
 */
export function parseOutcome(output: string): Outcome | undefined {
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  // A test may print such a line itself: Deno's own is the last.
  const last = [...plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed/gm)].at(-1);
  return last && { passed: Number(last[1]), failed: Number(last[2]) };
}

/**
 * Chooses what to run.
 *
 * @param args Command line arguments: paths and flags, in any order.
 * @returns Command lines for `deno test`, one for each run that has something to test.
 */
export function plan(args: readonly string[]): string[][] {
  const chosen = args.filter((arg) => !arg.startsWith("-") && exists(arg));
  const flags = args.filter((arg) => !chosen.includes(arg));
  return RUNS.flatMap((run) => {
    const paths = chosen.length > 0
      ? chosen.filter((path) => run.paths.includes(path.replace(/^\.\//, "").split("/")[0]!))
      : run.paths.filter(exists);
    return paths.length > 0
      ? [["test", "-q", "--parallel", "--permit-no-files", ...run.flags, ...flags, ...paths]]
      : [];
  });
}

/** Runs `deno test`, shows its output as it comes, and counts. */
async function run(args: readonly string[]): Promise<Outcome & { code: number }> {
  const colour: Record<string, string> = Deno.stdout.isTerminal() && !Deno.noColor ? { FORCE_COLOR: "1" } : {};
  const child = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, env: colour, stdout: "piped" }).spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    for (let done = 0; done < chunk.length;) done += Deno.stdout.writeSync(chunk.subarray(done));
  }
  const { code } = await child.status;
  const { passed, failed } = parseOutcome(output) ?? { passed: 0, failed: 0 };
  // What fails before the first test, such as a type error, fails too.
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, code };
}

/** Runs everything; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const total = { passed: 0, failed: 0, code: 0 };
  for (const command of plan(args)) {
    const { passed, failed, code } = await run(command);
    total.passed += passed;
    total.failed += failed;
    total.code ||= code;
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
