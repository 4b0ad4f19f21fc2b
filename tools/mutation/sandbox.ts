/**
 * A copy of the workspace in which sources may be spoilt, and tests run on it.
 *
 * @module
 */
import { exists, ROOT } from "../workspace.ts";
import { mutate, type Mutation } from "./mutate.ts";

/** How a run of tests ended. `broken`: before any test could fail, so that it says nothing about the tests. */
export type Verdict = "passed" | "failed" | "timed-out" | "broken";

/** What a run of tests came to. */
export interface TestRun {
  /** How it ended. */
  readonly verdict: Verdict;
  /** Name of the first test that failed, if one did. */
  readonly test?: string;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** What was printed. */
  readonly output: string;
}

const IMPORT_MAP = ".cache/import_map.json";
/** An endless loop may allocate, too: in megabytes. */
const MAX_HEAP = 2048;

/**
 * Finds the first failed test in the output of `deno test`.
 *
 * @param output The output, without colours.
 * @returns Its name, or nothing when no test failed.
 */
export function firstFailure(output: string): string | undefined {
  return /^(.+?) => \S+:\d+:\d+$/m.exec(output)?.[1];
}

/** A copy of the workspace. */
export class Sandbox {
  readonly #root: string;
  readonly #flags: readonly string[];

  private constructor(root: string, flags: readonly string[]) {
    this.#root = root;
    this.#flags = flags;
  }

  /**
   * Copies the workspace, as git sees it: what is tracked, and what is new and not ignored.
   *
   * @param root The folder to copy into; it exists.
   * @param flags Flags for `deno test`, such as an import map.
   */
  static async create(root: string, flags: readonly string[]): Promise<Sandbox> {
    const files = await workspaceFiles();
    if (exists(IMPORT_MAP)) files.push(IMPORT_MAP);
    for (const file of files) {
      Deno.mkdirSync(`${root}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.copyFileSync(`${ROOT}/${file}`, `${root}/${file}`);
    }
    return new Sandbox(root, flags);
  }

  /**
   * Does something while a mutation is applied, and takes the mutation back.
   *
   * @param mutation The mutation.
   * @param body What is done.
   * @returns What `body` returned.
   */
  async with<T>(mutation: Mutation, body: () => Promise<T>): Promise<T> {
    const path = `${this.#root}/${mutation.file}`;
    const source = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, mutate(mutation, source));
    try {
      return await body();
    } finally {
      Deno.writeTextFileSync(path, source);
    }
  }

  /**
   * Runs tests until one fails.
   *
   * @param file A test file, below the root.
   * @param timeoutSeconds How long it may take before it is killed.
   */
  async test(file: string, timeoutSeconds: number): Promise<TestRun> {
    const began = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["test", "-q", "--no-check", "--fail-fast", "-P=test"],
        ...[`--v8-flags=--max-old-space-size=${MAX_HEAP}`, ...this.#flags, file],
      ],
      cwd: this.#root,
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, timeoutSeconds * 1000);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const seconds = (performance.now() - began) / 1000;
    if (timedOut) return { verdict: "timed-out", seconds, output };
    if (code === 0) return { verdict: "passed", seconds, output };
    const test = firstFailure(output);
    return test === undefined ? { verdict: "broken", seconds, output } : { verdict: "failed", test, seconds, output };
  }
}

async function workspaceFiles(): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: ROOT,
  }).output();
  if (code !== 0) throw new Error(`Cannot list the workspace: ${new TextDecoder().decode(stderr).trim()}`);
  const files = new TextDecoder().decode(stdout).split("\0");
  // A tracked file may have been deleted.
  return files.filter((file) => file !== "" && exists(file));
}
