import { Execution, Lock, run, Work } from "@mmu-lab/protocol";
import { assertEquals } from "@std/assert";
import { fullWalk } from "./full_walk.ts";
import { ReferenceTables } from "./reference_tables.ts";
import { seedV2 } from "./seed_v2.ts";
import type { MemslotChange } from "./strategy.ts";

const CREATE: MemslotChange = {
  kind: "create",
  asId: 0,
  baseGfn: 0,
  npages: 1,
  generation: 149,
  intermediate: false,
};

/** 30 shadow pages, every third of which holds an MMIO spte. */
function world(): { execution: Execution; tables: ReferenceTables } {
  const execution = new Execution();
  const lock = new Lock("mmu_lock", execution);
  const tables = new ReferenceTables(lock, execution.counters);
  lock.acquire.take(0);
  for (let page = 0; page < 30; page++) tables.write(8 * page, page % 3 === 0 ? 0 : "ram");
  lock.release.take(0);
  return { execution, tables };
}

Deno.test("fullWalk() walks all pages and zaps those with MMIO sptes, after a create or move alone", () => {
  for (const kind of ["create", "move", "delete", "flags"] as const) {
    const { execution, tables } = world();
    run(execution, fullWalk().onMemslotUpdate!("committed", { ...CREATE, kind }, tables));
    const walks = kind === "create" || kind === "move";
    assertEquals(execution.counters.counts[Work.pagesVisited], walks ? 30 : 0, kind);
    assertEquals(execution.counters.counts[Work.pagesZapped], walks ? 10 : 0, kind);
    assertEquals(tables.pagesWithMmio, walks ? 0 : 10, kind);
  }
});

Deno.test("fullWalk() does nothing before the update is committed", () => {
  const { execution, tables } = world();
  for (const phase of ["publishing", "published", "completed", "flushing"] as const) {
    run(execution, fullWalk().onMemslotUpdate!(phase, CREATE, tables));
  }
  assertEquals(execution.counters.counts[Work.pagesVisited], 0);
});

Deno.test("fullWalk() without mmio_cached zaps every page", () => {
  const strategy = fullWalk({ mmioCached: false });
  assertEquals(strategy.name, "fullWalkEveryPage");
  const { execution, tables } = world();
  run(execution, strategy.onMemslotUpdate!("committed", CREATE, tables));
  assertEquals(execution.counters.counts[Work.pagesZapped], 30);
});

Deno.test("fullWalk() holds the lock for the whole walk, once", () => {
  const { execution, tables } = world();
  const { lock } = tables;
  const before = execution.counters.counts[Work.lockAcquisitions];
  run(execution, fullWalk().onMemslotUpdate!("committed", CREATE, tables));
  assertEquals(execution.counters.counts[Work.lockAcquisitions], before + 1);
  assertEquals(lock.longestHoldUnits >= 30, true);
});

Deno.test("seedV2() zaps at the wrap with the walk: pages without MMIO sptes stay", () => {
  const { execution, tables } = world();
  const strategy = seedV2();
  assertEquals(strategy.name, "seedV2");
  run(execution, strategy.onMemslotUpdate!("committed", { ...CREATE, generation: 148 }, tables));
  assertEquals(tables.pagesWithMmio, 10);
  run(execution, strategy.onMemslotUpdate!("committed", CREATE, tables));
  assertEquals(tables.pagesWithMmio, 0);
  assertEquals(execution.counters.counts[Work.wrapZaps], 1);
  assertEquals(execution.counters.counts[Work.pagesZapped], 10);
  assertEquals(tables.read(8), "ram");
});
