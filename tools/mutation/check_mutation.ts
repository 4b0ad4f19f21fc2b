/**
 * Asks the tests about one mutation.
 *
 * @module
 */
import { exists, ROOT } from "../workspace.ts";
import type { Mutation } from "./mutate.ts";
import type { Sandbox, TestRun } from "./sandbox.ts";

/** What notices a mutation. */
export type CatcherKind = "explorer" | "oracle" | "golden" | "unit" | "time-out";

/** What came of one mutation. */
export interface MutationResult {
  /** Its name. */
  readonly id: string;
  /** The file that it changed. */
  readonly file: string;
  /** What was then wrong. */
  readonly what: string;
  /** What noticed it; nothing if it survived. */
  readonly caught?: {
    /** The kind of check. */
    readonly kind: CatcherKind;
    /** The test file. */
    readonly file: string;
    /** The test. */
    readonly test?: string;
  };
  /** How long it took, in seconds. */
  readonly seconds: number;
}

/** Shortest time after which tests that do not end count as having noticed, in seconds. */
const MIN_TIMEOUT = 60;
/** How much longer than without a mutation tests may take, before they count as endless. */
const SLOWDOWN = 8;
/** How long tests may take without a mutation, in seconds. */
const BASELINE_TIMEOUT = 900;

/** Folders whose tests are asked about a mutation that the tests named by it have let pass; the fast and near first. */
const WIDER: readonly string[] = [
  "memslots",
  "vmx-backend",
  "svm-backend",
  "paging",
  "fidelity",
  "invalidation",
  "machine",
  "checker",
];

/**
 * The test files that are asked about a mutation that the tests named by it have let pass.
 *
 * @returns Their paths, below the root.
 */
export function widerSet(): string[] {
  return WIDER.filter((folder) => exists(`packages/${folder}`)).flatMap((folder) => {
    const names = [...Deno.readDirSync(`${ROOT}/packages/${folder}`)].map(({ name }) => name).sort();
    return names.filter((name) => name.endsWith("_test.ts")).map((name) => `packages/${folder}/${name}`);
  });
}

/** The tests' own results, without any mutation: each is found out once, when it is first needed. */
export class Baseline {
  /** Test files that do not pass without any mutation, and say nothing about one. */
  readonly failing: Set<string> = new Set();
  readonly #sandbox: Sandbox;
  readonly #seconds: Map<string, Promise<number>> = new Map();

  /**
   * Makes a baseline that knows nothing yet.
   *
   * @param sandbox A sandbox that nobody mutates.
   */
  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  /**
   * How long tests take.
   *
   * @param file A test file, below the root.
   * @returns Seconds; `undefined` if the tests do not pass.
   */
  async seconds(file: string): Promise<number | undefined> {
    let known = this.#seconds.get(file);
    if (known === undefined) {
      known = this.#sandbox.test(file, BASELINE_TIMEOUT).then(({ verdict, seconds }) => {
        if (verdict !== "passed") this.failing.add(file);
        return seconds;
      });
      this.#seconds.set(file, known);
    }
    const seconds = await known;
    return this.failing.has(file) ? undefined : seconds;
  }
}

/**
 * Asks the tests about one mutation: first those that it names, then the wider set.
 *
 * @param mutation The mutation.
 * @param sandbox Where it is applied; nobody else may use it meanwhile.
 * @param baseline The tests' results without mutations.
 * @returns What came of it.
 * @throws {Error} If tests end without one of them failing: then the mutation itself is wrong.
 */
export async function checkMutation(mutation: Mutation, sandbox: Sandbox, baseline: Baseline): Promise<MutationResult> {
  const began = performance.now();
  const { id, file, what, caughtBy } = mutation;
  const files = new Set([...caughtBy, ...widerSet()]);
  const caught = await sandbox.with(mutation, async () => {
    for (const test of files) {
      const usual = await baseline.seconds(test);
      if (usual === undefined) continue;
      const run = await sandbox.test(test, Math.max(MIN_TIMEOUT, SLOWDOWN * usual));
      if (run.verdict === "broken") {
        throw new Error(`Cannot check mutation '${id}': ${test} ends before any test fails\n${run.output}`);
      }
      if (run.verdict !== "passed") return describeCatch(test, run);
    }
    return undefined;
  });
  const seconds = (performance.now() - began) / 1000;
  return { id, file, what, ...(caught === undefined ? {} : { caught }), seconds };
}

function describeCatch(file: string, run: TestRun): NonNullable<MutationResult["caught"]> {
  if (run.verdict === "timed-out") return { kind: "time-out", file };
  return { kind: kindOf(file), file, ...(run.test === undefined ? {} : { test: run.test }) };
}

/**
 * The kind of check that a test file holds. `explorer`: interleavings of small worlds. `oracle`: answers beside those
 * of a model that is too simple to be wrong. `golden`: recordings of a real kernel. `unit`: everything else.
 *
 * @param file A test file, below the root.
 */
export function kindOf(file: string): CatcherKind {
  if (/^packages\/(checker|explorer)\b/.test(file)) return "explorer";
  if (/^packages\/(machine|invalidation)\/(differential|conformance|shadow)_test\.ts$/.test(file)) return "oracle";
  return /^packages\/fidelity\/[a-z_]+\.ts$/.test(file) ? "golden" : "unit";
}
