import { type Era, ERAS } from "@mmu-lab/memslots";
import { stub } from "@std/testing/mock";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { testStrategy } from "./conformance.ts";
import { CONFORMANCE_CASES } from "./conformance_cases.ts";
import { hybrid } from "./hybrid.ts";
import { narrowEra } from "./narrow_era.ts";
import { none } from "./none.ts";
import { generation } from "./generation.ts";
import { STRATEGIES, type StrategyFactory } from "./strategies.ts";
import type { InvalidationStrategy } from "./strategy.ts";

for (const [name, { create }] of Object.entries(STRATEGIES)) {
  if (name !== "none") testStrategy(create);
}
// The steps of 4.11 on, at the width that hybrid needs for them, and sweeps of a single page.
testStrategy((era) => hybrid({ rule: era.mmio!, pagesPerSweep: 1 }));
testStrategy(STRATEGIES.hybrid.create, { era: narrowEra(ERAS.G3, 5) });
testStrategy(STRATEGIES.generation.create, { era: narrowEra(ERAS.G8, 5) });
// The number as wide as it is.
for (const name of ["generation", "hybrid"]) testStrategy(STRATEGIES[name].create, { era: ERAS.G1 });

/** Runs the suite at once; returns what failed. */
function failuresOf(factory: StrategyFactory, era: Era = narrowEra(ERAS.G1, 4)): Map<string, string> {
  const failures = new Map<string, string>();
  testStrategy(factory, {
    era,
    test: (name, body) => {
      try {
        body();
      } catch (error) {
        failures.set(name.replace(/^.*?: /, ""), (error as Error).message);
      }
    },
  });
  return failures;
}

Deno.test("testStrategy() fails none in the soundness cases, and in no other", () => {
  assertEquals([...failuresOf(none).keys()], [
    "a touched page is RAM after a create over it",
    "many touched pages are RAM after a create over them",
    "a touched page is RAM after a move over it",
    "no page is MMIO again when the number comes round",
    "nor when sweeps come seldom",
    "nor when sweeps come often",
    "sweeps change no answer",
    "random operations agree with a flat map",
  ]);
});

Deno.test("testStrategy() names the strategy, the clause, and what happened", () => {
  assertEquals(
    failuresOf(none).get("a touched page is RAM after a create over it"),
    "Strategy 'none' breaks the contract (when an update's last phase is over, no MMIO spte that the change made wrong " +
      "may be current): gfn 0xd0 is ram and was answered as mmio after a create over it",
  );
});

Deno.test("testStrategy() finds the wrap that 4.11 never detects (B05)", () => {
  const failures = failuresOf(STRATEGIES.generation.create, narrowEra(ERAS.G3, 5));
  assert(failures.has("no page is MMIO again when the number comes round"));
  assertEquals(failuresOf(STRATEGIES.generation.create, narrowEra(ERAS.G3s, 5)).size, 0);
});

/** Strategies that are wrong in one way each, and a case that tells. */
const BROKEN: Readonly<Record<string, readonly [failing: string, message: string, Partial<InvalidationStrategy>]>> = {
  "stamps beyond maxGeneration": [
    "a stamp is an integer from 0 to maxGeneration",
    "maxGeneration is 15",
    { stamp: (view) => view.generation },
  ],
  "stamps fractions": [
    "a stamp is an integer from 0 to maxGeneration",
    "was stamped as 0.5",
    { stamp: () => 0.5 },
  ],
  "cannot bear an update in progress": [
    "stamp and isCurrent bear an update in progress",
    "in flux",
    {
      isCurrent: (_stored, view) => {
        if (view.updateInProgress) throw new Error("in flux");
        return false;
      },
    },
  ],
  "trusts nothing": ["a page hits again while nothing changes", "took 9 slow faults", { isCurrent: () => false }],
  "forgets a lock": ["all locks are free after every update and sweep", "a lock is held after a sweep", {
    *sweep(mmu) {
      yield mmu.lock.acquire;
    },
  }],
  "works without the lock": ["a touched page is RAM after a create over it", "does not hold mmu_lock", {
    // deno-lint-ignore require-yield
    *onMemslotUpdate(_phase, _change, mmu) {
      mmu.zapMmioPages("every-page");
    },
  }],
};

for (const [what, [failing, message, wrong]] of Object.entries(BROKEN)) {
  Deno.test(`testStrategy() finds a strategy that ${what}`, () => {
    const failures = failuresOf((era) => ({ ...generation(era.mmio!), name: "broken", ...wrong }));
    assertStringIncludes(failures.get(failing) ?? "", message);
  });
}

Deno.test("testStrategy() finds a stamp that is not pure", () => {
  const failures = failuresOf(() => {
    let calls = 0;
    return { name: "counter", maxGeneration: 15, stamp: () => calls++ & 15, isCurrent: () => false };
  });
  assertStringIncludes(failures.get("stamp and isCurrent are pure") ?? "", "another answer");
});

Deno.test("testStrategy() leaves out what it is told to, and says so", () => {
  const lines: string[] = [];
  using _ = stub(console, "info", (line: string) => void lines.push(line));
  const ran: string[] = [];
  const { name } = CONFORMANCE_CASES[0];
  testStrategy(none, {
    era: ERAS.G1,
    skip: [{ reason: "to see it", tests: [name] }],
    test: (title) => void ran.push(title),
  });
  assertEquals(lines, [`skipped none, G1: ${name}: to see it`]);
  assertEquals(ran, CONFORMANCE_CASES.slice(1).map((rest) => `none, G1: ${rest.name}`));
});

Deno.test("testStrategy() throws when a skip names no case", () => {
  assertThrows(
    () => testStrategy(none, { skip: [{ reason: "typo", tests: ["stamp is pure"] }] }),
    RangeError,
    "Cannot skip 'stamp is pure'",
  );
});

Deno.test("CONFORMANCE_CASES have names that differ", () => {
  assertEquals(new Set(CONFORMANCE_CASES.map(({ name }) => name)).size, CONFORMANCE_CASES.length);
});
