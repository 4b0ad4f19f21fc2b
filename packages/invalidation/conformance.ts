import { type Era, ERAS } from "@mmu-lab/memslots";
import { CONFORMANCE_CASES, type ConformanceCase } from "./conformance_cases.ts";
import type { WorldFactory } from "./conformance_world.ts";
import { narrowEra } from "./narrow_era.ts";
import { referenceWorld } from "./reference_world.ts";
import type { StrategyFactory } from "./strategies.ts";
import type { InvalidationStrategy } from "./strategy.ts";

/** A deviation from the contract that is known: data, so that it shows. */
export interface KnownDeviation {
  /** Why the strategy deviates; it is printed. */
  readonly reason: string;
  /** Names of {@linkcode CONFORMANCE_CASES}. */
  readonly tests: readonly string[];
}

/** Registers one test, as `Deno.test` and the `test` of `node:test` do. */
export type RegisterTest = (name: string, body: () => void) => void;

/** Options of {@linkcode testStrategy}. */
export interface ConformanceOptions {
  /** Cases that are left out, and why. */
  readonly skip?: readonly KnownDeviation[];
  /** Where the strategy is tried; {@linkcode referenceWorld} unless told. */
  readonly world?: WorldFactory;
  /** How tests are registered; `Deno.test` unless told. */
  readonly test?: RegisterTest;
  /**
   * The era that the strategy is made for. Unless told, the suite runs twice: with the generation of 3.11 cut to 4 bits,
   * one step an update, and with that of 3.17 cut to 5, two steps an update.
   */
  readonly era?: Era;
}

/** The eras of the suite: numbers that go round soon. */
const DEFAULT_ERAS: readonly Era[] = [narrowEra(ERAS.G1, 4), narrowEra(ERAS.G2, 5)];

/**
 * The conformance suite: registers a test for each of {@linkcode CONFORMANCE_CASES}. A strategy that passes keeps the
 * contract of `strategy.ts` as far as operations that happen one after another can show; for races there is the
 * explorer.
 *
 * @param factory Makes the strategy: a new one for each test.
 * @param options What is left out, where it runs, how tests are registered.
 * @throws {RangeError} If a skip names a case that does not exist.
 * @throws {TypeError} If `options.test` is missing where there is no `Deno.test`.
 *
 * @example
 * ```ts
 * import { type InvalidationStrategy, testStrategy } from "@mmu-lab/invalidation";
 *
 * // Trusts nothing: sound, and slow.
 * const distrust = (): InvalidationStrategy => ({
 *   name: "distrust",
 *   maxGeneration: 0,
 *   stamp: () => 0,
 *   isCurrent: () => false,
 * });
 *
 * const names: string[] = [];
 * testStrategy(distrust, {
 *   skip: [{
 *     reason: "it trusts no spte, so no access is ever fast",
 *     tests: ["a page hits again while nothing changes", "every page hits from the second access on"],
 *   }],
 *   test: (name, body) => {
 *     names.push(name);
 *     body();
 *   },
 * });
 * ```
 */
export function testStrategy(
  factory: StrategyFactory | (() => InvalidationStrategy),
  options: ConformanceOptions = {},
): void {
  const test = options.test ?? denoTest();
  const world = options.world ?? referenceWorld;
  const skip = options.skip ?? [];
  checkSkips(skip);
  for (const era of options.era === undefined ? DEFAULT_ERAS : [options.era]) {
    const { name } = factory(era);
    for (const conformanceCase of CONFORMANCE_CASES) {
      const title = `${name}, ${era.name}: ${conformanceCase.name}`;
      const deviation = skip.find(({ tests }) => tests.includes(conformanceCase.name));
      if (deviation === undefined) test(title, () => runCase(conformanceCase, factory(era), era, world));
      else console.info(`skipped ${title}: ${deviation.reason}`);
    }
  }
}

function runCase({ clause, run }: ConformanceCase, strategy: InvalidationStrategy, era: Era, world: WorldFactory) {
  try {
    run(world(strategy, era));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Strategy '${strategy.name}' breaks the contract (${clause}): ${message}`, { cause });
  }
}

function checkSkips(skip: readonly KnownDeviation[]): void {
  for (const name of skip.flatMap(({ tests }) => tests)) {
    if (CONFORMANCE_CASES.some((known) => known.name === name)) continue;
    throw new RangeError(`Cannot skip '${name}': there is no such conformance case`);
  }
}

/** `Deno.test`, where there is one: this package knows no runtime. */
function denoTest(): RegisterTest {
  const { Deno: runtime } = globalThis as { Deno?: { test?: RegisterTest } };
  if (runtime?.test === undefined) {
    throw new TypeError("Cannot register tests: expected options.test, such as the test of node:test");
  }
  return runtime.test;
}
