import { ERAS, type MmioGenerationRule } from "@mmu-lab/memslots";
import { Execution, Lock, run, Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkRule, generation, GENERATION_3_11 } from "./generation.ts";
import { ReferenceTables } from "./reference_tables.ts";
import type { MemslotChange } from "./strategy.ts";

const CHANGE: MemslotChange = { kind: "flags", asId: 0, baseGfn: 0, npages: 1, generation: 149, intermediate: false };

function world(): { execution: Execution; tables: ReferenceTables } {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  const tables = new ReferenceTables(lock, execution.counters);
  lock.acquire.take(0);
  for (let page = 0; page < 25; page++) tables.write(8 * page, page % 2 === 0 ? 0 : "ram");
  lock.release.take(0);
  return { execution, tables };
}

Deno.test("generation() stamps as 3.11 does", () => {
  const strategy = generation();
  const stamps = [[0, 0x7ff69], [1, 0x7ff6a], [150, 0x7ffff], [151, 0], [152, 1]] as const;
  for (const [number, stamp] of stamps) {
    const view = { generation: number, updateInProgress: false };
    assertEquals(strategy.stamp(view, 0xfee00), stamp);
    assert(strategy.isCurrent(stamp, view, 0xfee00));
    assert(!strategy.isCurrent(stamp, { ...view, generation: number + 1 }, 0xfee00));
  }
});

Deno.test("generation() trusts nothing while an update is marked as in progress", () => {
  const strategy = generation(ERAS.G8.mmio!);
  assert(strategy.isCurrent(2, { generation: 2, updateInProgress: false }, 1));
  assert(!strategy.isCurrent(2, { generation: 2, updateInProgress: true }, 1));
});

Deno.test("generation() zaps everything at a wrap, in the phase that the rule names, and else does nothing", () => {
  for (const phase of ["publishing", "published", "completed", "flushing", "committed"] as const) {
    const { execution, tables } = world();
    run(execution, generation().onMemslotUpdate!(phase, CHANGE, tables));
    const { counts } = execution.counters;
    assertEquals(counts[Work.wrapZaps], phase === "committed" ? 1 : 0);
    assertEquals(tables.pagesWithMmio, phase === "committed" ? 0 : 13);
    assertEquals(counts[Work.pagesZapped], phase === "committed" ? 25 : 0);
  }
});

Deno.test("generation() takes no lock in an update without a wrap", () => {
  const { execution, tables } = world();
  const before = execution.counters.counts[Work.lockAcquisitions];
  run(execution, generation().onMemslotUpdate!("committed", { ...CHANGE, generation: 148 }, tables));
  assertEquals(execution.counters.counts[Work.lockAcquisitions], before);
});

Deno.test("checkRule() throws on a mask with a hole, and on a wrap value that never comes", () => {
  const wrapsAt = (value: number): MmioGenerationRule => ({ ...GENERATION_3_11, wrap: { kind: "at-least", value } });
  assertThrows(() => checkRule({ ...GENERATION_3_11, mask: 0b101 }), RangeError, "expected a run of ones from bit 0");
  assertThrows(() => generation({ ...GENERATION_3_11, mask: 0 }), RangeError, "generation mask 0x0");
  assertThrows(() => checkRule(wrapsAt(0)), RangeError, "Cannot wrap at 0x0");
  assertThrows(() => checkRule(wrapsAt(0x80000)), RangeError, "Cannot wrap at 0x80000");
  checkRule(wrapsAt(0x7ffff));
});
