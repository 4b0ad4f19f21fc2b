import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { prepareZap } from "../pages/zap.ts";
import { prepareEntry } from "../root.ts";
import { TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { contextOf } from "./context_of.ts";
import { loadCr3 } from "./control_registers.ts";
import { dropRoots } from "./previous_roots.ts";
import { SHADOW_RULES_4_19 } from "./shadow_rules.ts";

/** Frames of five outermost tables, all alike; the first is in use at first. */
const ROOTS = [1, 0x20, 0x21, 0x22, 0x23];

function guest(): TinyShadow {
  const tiny = new TinyShadow({ shadowRules: SHADOW_RULES_4_19 });
  for (const root of ROOTS) tiny.tables.write8(root, 0, 2 * 4096 + USED, 0);
  return tiny;
}

/** The guest loads CR3 and runs on. */
function load(tiny: TinyShadow, root: number): void {
  assert(tiny.run(loadCr3(tiny.mmu, tiny.vcpu, root * 4096)));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.mmu.pool.gfn[tiny.vcpu.root], root);
}

/** Frames of the kept roots' tables, the first place first; 0 where there is none. */
function kept(tiny: TinyShadow): number[] {
  const { previousRoots } = contextOf(tiny.vcpu);
  return previousRoots.map(({ page }) => page === NO_PAGE ? 0 : tiny.mmu.pool.gfn[page]);
}

Deno.test("the root in use takes the first place, and the last of three goes", () => {
  const tiny = guest();
  assertEquals(kept(tiny), [0, 0, 0]);
  for (const root of ROOTS.slice(1, 4)) load(tiny, root);
  assertEquals(kept(tiny), [0x21, 0x20, 1]);
  const { pool } = tiny.mmu;
  const first = contextOf(tiny.vcpu).previousRoots[2].page;
  load(tiny, 0x23);
  assertEquals(kept(tiny), [0x22, 0x21, 0x20]);
  assertEquals(pool.rootCount[first], 0);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("a root that is found leaves its place to those before it, and is the same page", () => {
  const tiny = guest();
  for (const root of ROOTS.slice(1, 4)) load(tiny, root);
  const { page } = contextOf(tiny.vcpu).previousRoots[1];
  load(tiny, 0x20);
  assertEquals(tiny.vcpu.root, page);
  assertEquals(kept(tiny), [0x22, 0x21, 1]);
});

Deno.test("a root that was zapped is not found", () => {
  const tiny = guest();
  load(tiny, 0x20);
  const { page } = contextOf(tiny.vcpu).previousRoots[0];
  tiny.locked(() => prepareZap(tiny.mmu, page));
  tiny.vcpu.reloadRequested = false;
  load(tiny, 1);
  assert(tiny.vcpu.root !== page);
});

Deno.test("dropRoots() gives back what is obsolete, or all", () => {
  const tiny = guest();
  load(tiny, 0x20);
  tiny.mmu.validGen++;
  load(tiny, 0x21);
  // Now 0x20 and 1 are obsolete, and 0x21 is not.
  tiny.run(dropRoots(tiny.mmu, tiny.vcpu, "obsolete"));
  assertEquals(kept(tiny), [0, 0, 0]);
  assertEquals(tiny.mmu.pool.gfn[tiny.vcpu.root], 0x21);
  tiny.run(dropRoots(tiny.mmu, tiny.vcpu, "all"));
  assertEquals(tiny.vcpu.root, NO_PAGE);
  assertEquals(tiny.mmu.pool.rootCount.every((count) => count === 0), true);
});

Deno.test("loadCr3() of the CR3 that is loaded keeps the root, and asks for a sync", () => {
  const tiny = guest();
  const { root } = tiny.vcpu;
  assert(tiny.run(loadCr3(tiny.mmu, tiny.vcpu, 0x1000)));
  assertEquals([tiny.vcpu.root, tiny.vcpu.syncRequested], [root, true]);
  assertEquals(kept(tiny), [0, 0, 0]);
});
