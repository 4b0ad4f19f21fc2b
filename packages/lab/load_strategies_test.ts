import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { MmuControl } from "@mmu-lab/invalidation";
import { lab } from "./testdata/memory_io.ts";

const GOOD = { name: "mine", maxGeneration: 5, stamp: () => 1, isCurrent: () => false };
const without = (key: keyof typeof GOOD) => ({ ...GOOD, [key]: undefined });

/** Runs a module as a strategy. */
function race(exports: Record<string, unknown> | Error) {
  return lab("compare --workload vga-toggle --pages 2 --strategies ./mine.ts", { modules: { "./mine.ts": exports } });
}

Deno.test("lab compare runs the strategy of a module, an object or a function of the era", async () => {
  const { code, output, errors } = await race({ default: GOOD });
  assertEquals(code, 0, errors);
  assertStringIncludes(output, "mine");
  const eras: string[] = [];
  await race({ default: ({ name }: { name: string }) => (eras.push(name), GOOD) });
  assert(eras.length >= 2 && eras.every((era) => era === "G2"));
});

Deno.test("the strategy of examples/my_strategy.ts is sound, and keeps its fast path through flags changes", async () => {
  const path = new URL("../../examples/my_strategy.ts", import.meta.url).href;
  const modules = { "./my_strategy.ts": await import(path) };
  for (const workload of ["random --pages 3000 --vcpus 2", "vga-toggle", "wrap"]) {
    for (const profile of ["linux_3_11_ept", "linux_3_17_ept"]) {
      const args =
        `compare --workload ${workload} --profile ${profile} --json --strategies ./my_strategy.ts,generation`;
      const { strategies } = JSON.parse((await lab(args, { modules })).output);
      const [mine, generation] = strategies;
      assertEquals(mine.counters.staleBySpte, 0, `${workload} ${profile}`);
      assert(mine.counters.mmioRefaults <= generation.counters.mmioRefaults);
      if (workload === "wrap") assert(mine.counters.mmioFastHits > 50 && generation.counters.mmioFastHits === 0);
    }
  }
});

for (
  const [does, exports, message] of [
    ["throws while it loads", new Error("boom\nat once"), "Cannot load the strategy ./mine.ts: boom at once"],
    ["has no default export", { strategy: GOOD }, "./mine.ts: it has no default export; export default a strategy, or"],
    ["is a number", { default: 5 }, "./mine.ts: expected an object, got 5"],
    [
      "is made by a function that throws",
      { default: () => fail("no") },
      "Cannot make the strategy of ./mine.ts: it throws: no",
    ],
    ["lacks stamp", { default: without("stamp") }, "'stamp' is missing: stamp(view, gfn) returns the generation"],
    [
      "lacks isCurrent",
      { default: without("isCurrent") },
      "'isCurrent' is missing: isCurrent(stored, view, gfn) returns",
    ],
    ["lacks name", { default: without("name") }, "'name' is undefined: write a short text"],
    [
      "lacks maxGeneration",
      { default: without("maxGeneration") },
      "'maxGeneration' is undefined: write the largest number",
    ],
    ["has a number for a method", { default: { ...GOOD, sweep: 1 } }, "'sweep' is 1: write a generator function"],
    ["stamps more than the layout stores", { default: { ...GOOD, maxGeneration: 2 ** 30 } }, "the layout stores up to"],
    [
      "stamps a fraction",
      { default: { ...GOOD, stamp: () => 0.5 } },
      "stamp() returns 0.5: expected a whole number from 0 to 5",
    ],
    [
      "stamps too much",
      { default: { ...GOOD, stamp: () => 6 } },
      "stamp() returns 6: expected a whole number from 0 to 5",
    ],
    [
      "throws in stamp",
      { default: { ...GOOD, stamp: () => fail("x") } },
      "Strategy 'mine' (./mine.ts) fails: stamp() throws: x",
    ],
    [
      "answers no yes or no",
      { default: { ...GOOD, isCurrent: () => 1 } },
      "isCurrent() returns 1: expected true or false",
    ],
    [
      "is no generator",
      { default: { ...GOOD, onMemslotUpdate() {} } },
      "returns undefined: write a generator function",
    ],
    ["throws in a phase", {
      default: {
        ...GOOD,
        // deno-lint-ignore require-yield
        *onMemslotUpdate(phase: string) {
          if (phase === "committed") fail("oops");
        },
      },
    }, `Strategy 'mine' (./mine.ts) fails: onMemslotUpdate("committed") throws: oops`],
    ["yields no step", {
      default: {
        ...GOOD,
        *onMemslotUpdate() {
          yield 5;
        },
      },
    }, `onMemslotUpdate("publishing") yields 5: expected a step, such as mmu.lock.acquire`],
    ["forgets the lock", {
      default: {
        ...GOOD,
        // deno-lint-ignore require-yield
        *onMemslotUpdate(_phase: string, _change: unknown, mmu: MmuControl) {
          mmu.zapMmioPages("every-page");
        },
      },
    }, "does not hold mmu_lock"],
    ["keeps the lock", {
      default: {
        ...GOOD,
        *onMemslotUpdate(_phase: string, _change: unknown, mmu: MmuControl) {
          yield mmu.lock.acquire;
        },
      },
    }, `onMemslotUpdate("publishing") ends with mmu_lock held`],
    ["waits for itself", {
      default: {
        ...GOOD,
        *sweep(mmu: MmuControl) {
          yield mmu.lock.acquire;
          yield mmu.lock.acquire;
        },
      },
    }, "sweep() throws: Cannot go on: actor 1000 waits for ever at 'acquire mmu_lock'"],
  ] as const
) {
  Deno.test(`a strategy module that ${does} is bad input, in one line`, async () => {
    const { code, output, errors } = await race(exports);
    assertEquals([code, output], [2, ""], errors);
    assertStringIncludes(errors, message);
    assertEquals(errors.split("\n").length, 2);
  });
}

Deno.test("a strategy module that is not there is bad input", async () => {
  const { code, errors } = await lab("compare --strategies ./nowhere.ts");
  assertEquals([code, errors], [2, "lab compare: Cannot read ./nowhere.ts: there is no such file\n"]);
});

function fail(message: string): never {
  throw new Error(message);
}
