import { Work } from "@mmu-lab/protocol";
import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { NO_PAGE } from "./page_pool.ts";
import { isInvalid } from "./role.ts";
import { freeRoot } from "../root.ts";
import { shrink } from "./shrink.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { zapAllPages } from "./zap.ts";

Deno.test("shrink() of 3.11 zaps one page at a time, the oldest, a root in use too", () => {
  const tiny = new TinyMmu();
  const { mmu, vcpu } = tiny;
  tiny.fault(0);
  tiny.fault(512);
  const { pool } = mmu;
  const order = [];
  for (let page = pool.oldest; page !== NO_PAGE; page = pool.newerThan(page)) order.push(page);
  assertEquals(order[0], vcpu.root);
  assertEquals(tiny.run(shrink(mmu, 10)), 1);
  assertEquals([isInvalid(pool.role[vcpu.root]), pool.newest, vcpu.reloadRequested], [true, vcpu.root, true]);
  for (const page of order.slice(1)) {
    assertEquals(pool.oldest, page);
    assertEquals(tiny.run(shrink(mmu, 10)), 1);
    assertEquals([pool.isLive(page), vcpu.flushRequested], [false, true]);
  }
  assertEquals(auditBooks(mmu), []);
});

Deno.test("shrink() of 6.1 zaps as many as it is asked for, and no root in use", () => {
  const tiny = new TinyLegacy();
  const { mmu, vcpu } = tiny;
  for (let i = 0; i < 10; i++) tiny.handle(i * 512);
  const before = mmu.pool.used;
  assertEquals(tiny.run(shrink(mmu, 4)), 4);
  assertEquals([mmu.pool.used, mmu.pool.oldest, mmu.stats.mmu_recycled], [before - 4, vcpu.root, 4]);
  assertEquals(tiny.run(shrink(mmu, 1000)), before - 5);
  assertEquals([mmu.pool.used, auditBooks(mmu)], [1, []]);
});

Deno.test("shrink() frees what was zapped with the lock given up in between, and nothing else", () => {
  const tiny = new TinyMmu();
  const { mmu } = tiny;
  for (let i = 0; i < 30; i++) tiny.fault(i * 512);
  const zapping = zapAllPages(mmu);
  tiny.execution.actor = 0;
  // As far as its first lock break.
  for (let step = zapping.next().value; step; step = zapping.next().value) {
    step.take(0);
    if (step === mmu.lock.leave) break;
  }
  const { used } = mmu.pool;
  // The root is in use: it is zapped, and does not wait.
  assertEquals(mmu.zapped.length, 10);
  assertEquals(tiny.run(shrink(mmu, 5)), 0);
  assertEquals([mmu.zapped.length, mmu.pool.used, auditBooks(mmu)], [0, used, []]);
  tiny.run(zapping);
  assertEquals([mmu.pool.used, auditBooks(mmu)], [1, []]);
});

Deno.test("shrink() takes no lock where there is nothing", () => {
  const tiny = new TinyMmu();
  const { mmu, vcpu } = tiny;
  tiny.run(freeRoot(mmu, vcpu));
  tiny.run(zapAllPages(mmu));
  const taken = mmu.counters.counts[Work.lockAcquisitions];
  assertEquals(tiny.run(shrink(mmu, 5)), 0);
  assertEquals(mmu.counters.counts[Work.lockAcquisitions], taken);
});
