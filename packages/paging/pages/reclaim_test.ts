import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { changeMaxPages, makePagesAvailable } from "./reclaim.ts";
import { NO_PAGE } from "./page_pool.ts";
import { PAGE_RULES_4_19 } from "./page_rules.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { zapAllPages } from "./zap.ts";

/** Touches pages that need a table each. */
function touch(tiny: TinyMmu, from: number, count: number): void {
  for (let i = from; i < from + count; i++) tiny.fault(i * 512);
}

Deno.test("makePagesAvailable() does nothing while 5 pages are left", () => {
  const tiny = new TinyMmu();
  touch(tiny, 0, 40);
  tiny.mmu.maxPages = tiny.mmu.pool.used + 5;
  tiny.locked(() => makePagesAvailable(tiny.mmu));
  assertEquals(tiny.mmu.stats.mmu_recycled, 0);
});

Deno.test("makePagesAvailable() zaps the oldest pages until 25 are left, once fewer than 5 are", () => {
  const tiny = new TinyMmu();
  touch(tiny, 0, 40);
  const { mmu } = tiny;
  mmu.maxPages = mmu.pool.used + 4;
  // Root, level 3 and level 2 are the oldest; the root is in use and only moves to the head.
  tiny.locked(() => makePagesAvailable(mmu));
  assertEquals(mmu.maxPages - mmu.pool.used, 25);
  assertEquals(mmu.stats.mmu_recycled, 22);
  assertEquals(mmu.pool.newest, tiny.vcpu.root);
  assert(tiny.vcpu.reloadRequested);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("makePagesAvailable() of 4.19 ends at a root in use, and goes on the next time", () => {
  const tiny = new TinyMmu({ pageRules: PAGE_RULES_4_19 });
  touch(tiny, 0, 40);
  const { mmu } = tiny;
  mmu.maxPages = mmu.pool.used + 4;
  tiny.locked(() => makePagesAvailable(mmu));
  assertEquals([mmu.maxPages - mmu.pool.used, mmu.stats.mmu_recycled, mmu.pool.newest], [4, 0, tiny.vcpu.root]);
  tiny.locked(() => makePagesAvailable(mmu));
  assertEquals([mmu.maxPages - mmu.pool.used, mmu.stats.mmu_recycled], [25, 21]);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("a fault makes room first, and a VM never has more pages than it may", () => {
  const tiny = new TinyMmu();
  tiny.mmu.maxPages = 64;
  for (let i = 0; i < 500; i++) {
    tiny.fault(i * 512);
    assert(tiny.mmu.pool.used <= 64);
  }
  assert(tiny.mmu.stats.mmu_recycled > 400);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("changeMaxPages() zaps the oldest pages down to the goal", () => {
  const tiny = new TinyMmu();
  tiny.mmu.maxPages = 200;
  touch(tiny, 0, 100);
  tiny.locked(() => changeMaxPages(tiny.mmu, 64));
  assertEquals([tiny.mmu.pool.used, tiny.mmu.maxPages], [64, 64]);
  assertEquals(auditBooks(tiny.mmu), []);
  tiny.locked(() => changeMaxPages(tiny.mmu, 1000));
  assertEquals([tiny.mmu.pool.used, tiny.mmu.maxPages], [64, 1000]);
});

Deno.test("getPage() makes pages that a zap of everything finds", () => {
  const tiny = new TinyMmu();
  touch(tiny, 0, 30);
  tiny.vcpu.root = NO_PAGE;
  tiny.mmu.pool.rootCount.fill(0);
  tiny.run(zapAllPages(tiny.mmu));
  assertEquals(tiny.mmu.pool.used, 0);
});

Deno.test("makePagesAvailable() of 6.1 spares the root, and counts what goes", () => {
  const tiny = new TinyLegacy();
  const { mmu, vcpu } = tiny;
  mmu.maxPages = 1000;
  for (let i = 0; i < 40; i++) tiny.handle(i * 512);
  mmu.maxPages = mmu.pool.used + 4;
  tiny.locked(() => makePagesAvailable(mmu));
  assertEquals([mmu.maxPages - mmu.pool.used, mmu.stats.mmu_recycled], [25, 21]);
  assertEquals([mmu.pool.oldest, vcpu.reloadRequested, vcpu.flushRequested], [vcpu.root, false, true]);
  tiny.locked(() => changeMaxPages(mmu, mmu.pool.used - 3));
  assertEquals([mmu.stats.mmu_recycled, mmu.pool.used, mmu.maxPages, auditBooks(mmu)], [24, 19, 19, []]);
});

Deno.test("changeMaxPages() of 6.1 goes no lower than the roots in use", () => {
  const tiny = new TinyLegacy();
  tiny.handle(5);
  tiny.locked(() => changeMaxPages(tiny.mmu, 0));
  assertEquals([tiny.mmu.pool.used, tiny.mmu.maxPages, auditBooks(tiny.mmu)], [1, 1, []]);
});
