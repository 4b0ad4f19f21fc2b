import { ERAS, type MmioGenerationRule } from "@mmu-lab/memslots";
import { Execution, Lock, run, Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hybrid } from "./hybrid.ts";
import { ReferenceTables } from "./reference_tables.ts";
import type { MemslotChange } from "./strategy.ts";
import { findResurrection, ruleOfStep } from "./testdata/interleaved_updates.ts";

/** A rule without a wrap that hybrid would look at. */
function narrowRule(bits: number): MmioGenerationRule {
  return { mask: 2 ** bits - 1, bias: 0, wrap: { kind: "zero", ignore: 0 }, wrapCheckedAt: "committed" };
}

Deno.test("hybrid() lets no entry live to see its number come round, whatever the order of updates and sweeps", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(3, 4, 5),
      fc.constantFrom(1, 2, 4),
      fc.constantFrom("unmarked", "flag", "odd"),
      fc.integer({ min: 1, max: 4 }),
      fc.integer(),
      (bits, step, inProgress, pagesPerSweep, seed) => {
        fc.pre(4 * step <= 2 ** bits && !(inProgress === "odd" && step === 1));
        const strategy = hybrid({ rule: narrowRule(bits), step, pagesPerSweep });
        assertEquals(findResurrection(strategy, ruleOfStep(step, inProgress), seed, 800), undefined);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("hybrid() would be unsound with less than four steps to a cycle", () => {
  // The step is not told, so that the check does not see it.
  const rule = ruleOfStep(4, "unmarked");
  const found = Array.from(
    { length: 40 },
    (_, seed) => findResurrection(hybrid({ rule: narrowRule(3), pagesPerSweep: 1 }), rule, seed, 1500),
  );
  assert(found.some((resurrection) => resurrection !== undefined));
});

Deno.test("hybrid() throws on a generation that is too narrow, and on a sweep of no pages", () => {
  assertThrows(() => hybrid({ rule: narrowRule(2) }), RangeError, "expected at least 3 bits");
  assertThrows(() => hybrid({ rule: narrowRule(3), step: 4 }), RangeError, "expected four steps or more");
  assertThrows(() => hybrid({ pagesPerSweep: 0 }), RangeError, "expected a positive integer");
  assertThrows(() => hybrid({ pagesPerSweep: 1.5 }), RangeError, "expected a positive integer");
});

Deno.test("hybrid() stamps and judges as the rule says, and distrusts while an update is in progress", () => {
  const strategy = hybrid();
  const view = { generation: 0, updateInProgress: false };
  assertEquals(strategy.maxGeneration, 0x7ffff);
  assertEquals(strategy.stamp(view, 0xfee00), 0x7ff69);
  assert(strategy.isCurrent(0x7ff69, view, 0xfee00));
  assert(!strategy.isCurrent(0x7ff69, { ...view, updateInProgress: true }, 0xfee00));
});

/** Tables with `pages` shadow pages that hold one MMIO spte each. */
function populated(pages: number, stamp: number): { execution: Execution; tables: ReferenceTables } {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  const tables = new ReferenceTables(lock, execution.counters);
  lock.acquire.take(0);
  for (let page = 0; page < pages; page++) tables.write(8 * page, stamp);
  lock.release.take(0);
  return { execution, tables };
}

function publishing(generation: number): MemslotChange {
  return { kind: "flags", asId: 0, baseGfn: 0, npages: 1, generation, intermediate: false };
}

Deno.test("hybrid() takes no lock in an update while the background keeps up", () => {
  const strategy = hybrid({ rule: ERAS.G1.mmio!, pagesPerSweep: 64 });
  const { execution, tables } = populated(64, 0);
  const { counts } = execution.counters;
  run(execution, strategy.onMemslotUpdate!("publishing", publishing(1), tables));
  for (let generation = 2; generation <= 50; generation++) {
    run(execution, strategy.sweep!(tables));
    const before = counts[Work.lockAcquisitions];
    run(execution, strategy.onMemslotUpdate!("publishing", publishing(generation), tables));
    assertEquals(counts[Work.lockAcquisitions], before, `update ${generation}`);
  }
});

Deno.test("hybrid() sweeps in an update no more than has fallen due", () => {
  const pages = 1000;
  const strategy = hybrid({ rule: narrowRule(10) });
  const { execution, tables } = populated(pages, 1);
  const { counts } = execution.counters;
  run(execution, strategy.onMemslotUpdate!("publishing", publishing(1), tables));
  let most = 0;
  for (let generation = 2; generation <= 600; generation++) {
    const before = counts[Work.pagesVisited];
    run(execution, strategy.onMemslotUpdate!("publishing", publishing(generation), tables));
    most = Math.max(most, counts[Work.pagesVisited] - before);
  }
  // A quarter of 1024 numbers for a pass of 1000 pages.
  assert(most <= Math.ceil(pages / 256), `${most} pages in one update`);
  assertEquals(tables.pagesWithMmio, 0);
});

Deno.test("hybrid() leaves current entries alone when it sweeps", () => {
  const strategy = hybrid({ rule: narrowRule(8) });
  const { execution, tables } = populated(10, 7);
  run(execution, strategy.onMemslotUpdate!("publishing", publishing(7), tables));
  run(execution, strategy.sweep!(tables));
  assertEquals(tables.pagesWithMmio, 10);
  run(execution, strategy.onMemslotUpdate!("publishing", publishing(8), tables));
  run(execution, strategy.sweep!(tables));
  assertEquals(tables.pagesWithMmio, 0);
});

Deno.test("hybrid() does not take the lock for a sweep when there is no MMIO spte", () => {
  const { execution, tables } = populated(0, 0);
  const before = execution.counters.counts[Work.lockAcquisitions];
  run(execution, hybrid().sweep!(tables));
  assertEquals(execution.counters.counts[Work.lockAcquisitions], before);
});
