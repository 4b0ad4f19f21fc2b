import { type Lock, LockNotHeldError, type Step, Work } from "@mmu-lab/protocol";
import type { TraceEvent } from "@mmu-lab/tracing";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { auditBooks } from "../books.ts";
import { NO_PAGE, type PageId } from "./page_pool.ts";
import { isInvalid, levelOf } from "./role.ts";
import { freeRoot, prepareEntry } from "../root.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { commitZap, prepareZap, zapAllAtEnd, zapAllPages } from "./zap.ts";

/** An MMU with `tables` level-1 tables, and so 3 pages more. */
function populated(tables: number): TinyMmu {
  const tiny = new TinyMmu();
  tiny.mmu.maxPages = 1000;
  for (let i = 0; i < tables; i++) tiny.fault(i * 512);
  tiny.vcpu.flushRequested = false;
  return tiny;
}

function pageOfLevel(tiny: TinyMmu, level: number): PageId {
  const { pool } = tiny.mmu;
  let page = pool.newest;
  while (levelOf(pool.role[page]) !== level) page = pool.olderThan(page);
  return page;
}

Deno.test("prepareZap() throws without mmu_lock", () => {
  const tiny = populated(1);
  assertThrows(() => prepareZap(tiny.mmu, 1), LockNotHeldError, "zap a shadow page");
});

Deno.test("prepareZap() unlinks a page from its parent and its children, which stay", () => {
  const tiny = populated(3);
  const { mmu } = tiny;
  const directory = pageOfLevel(tiny, 2);
  tiny.locked(() => {
    assertEquals(prepareZap(mmu, directory), 1);
    assertEquals(mmu.zapped, [directory]);
    assert(isInvalid(mmu.pool.role[directory]));
    assertEquals(auditBooks(mmu), []);
    commitZap(mmu);
  });
  assertEquals(mmu.zapped, []);
  assert(!mmu.pool.isLive(directory));
  assertEquals([tiny.mapped(0), tiny.mapped(512)], ["none", "none"]);
  assertEquals(mmu.pool.used, 5);
  assert(tiny.vcpu.flushRequested);
  assertEquals(auditBooks(mmu), []);
  // The tables below are found again by the next fault.
  tiny.fault(0);
  assertEquals(tiny.mapped(512), "none");
  tiny.fault(512);
  assertEquals(mmu.pool.used, 6);
});

Deno.test("prepareZap() keeps a root that is in use, invalid and at the head, and asks for a reload once", () => {
  const tiny = populated(2);
  const { mmu, vcpu } = tiny;
  const { root } = vcpu;
  tiny.locked(() => {
    assertEquals(prepareZap(mmu, root), 0);
    commitZap(mmu);
  });
  assertEquals(mmu.pool.newest, root);
  assert(isInvalid(mmu.pool.role[root]) && mmu.pool.isLive(root));
  assert(vcpu.reloadRequested);
  vcpu.reloadRequested = false;
  tiny.locked(() => assertEquals(prepareZap(mmu, root), 0));
  assert(!vcpu.reloadRequested);
  // Each time counts.
  assertEquals(mmu.stats.mmu_shadow_zapped, 2);
  assertEquals(auditBooks(mmu), []);
  tiny.run(freeRoot(mmu, vcpu));
  assert(!mmu.pool.isLive(root));
  assertEquals(auditBooks(mmu), []);
});

Deno.test("commitZap() flushes once for all pages, and not at all for none", () => {
  const tiny = populated(3);
  const { counts } = tiny.mmu.counters;
  const before = counts[Work.remoteTlbFlushes];
  tiny.locked(() => commitZap(tiny.mmu));
  assertEquals(counts[Work.remoteTlbFlushes], before);
  tiny.locked(() => {
    for (const level of [1, 2]) prepareZap(tiny.mmu, pageOfLevel(tiny, level));
    commitZap(tiny.mmu);
  });
  assertEquals(counts[Work.remoteTlbFlushes], before + 1);
});

Deno.test("zapAllPages() goes from the oldest page to the newest, and breaks the lock after every ten", () => {
  const tiny = populated(32);
  const { mmu } = tiny;
  const { pool } = mmu;
  const ages: PageId[] = [];
  for (let page = pool.oldest; page !== NO_PAGE; page = pool.newerThan(page)) ages.push(page);
  assertEquals(ages.length, 35);

  const left: PageId[][] = [];
  const zap = zapAllPages(mmu);
  for (let step = zap.next(); !step.done; step = zap.next()) {
    if (givesBack(mmu.lock, step.value)) {
      left.push(ages.filter((page) => pool.isLive(page) && !mmu.zapped.includes(page)));
    }
    step.value.take(0);
  }
  // The root, the oldest, is in use: it is zapped and stays. Ten more go in each batch.
  const [root, ...others] = ages;
  const after = (pages: number) => [root, ...others.slice(pages)];
  assertEquals(left, [after(10), after(20), after(30), after(34)]);
  assertEquals(mmu.validGen, 1);
  assert(tiny.vcpu.reloadRequested);
  assertEquals(mmu.counters.counts[Work.remoteTlbFlushes] > 0, true);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("zapAllPages() leaves pages alone that were made after it began", () => {
  const tiny = populated(12);
  const { mmu, execution } = tiny;
  const zap = zapAllPages(mmu);
  let breaks = 0;
  for (let step = zap.next(); !step.done; step = zap.next()) {
    step.value.take(0);
    if (!givesBack(mmu.lock, step.value) || ++breaks !== 1) continue;
    // The vCPU gets in at the lock break: it takes a new root, for it was asked to, and touches a page.
    tiny.run(prepareEntry(mmu, tiny.vcpu));
    tiny.fault(0x100000);
    execution.actor = 0;
  }
  assertEquals(breaks, 2);
  assertEquals(tiny.mapped(0x100000), "mmio");
  assertEquals(mmu.pool.used, 4);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("zapAllPages() zaps MMIO sptes with their pages", () => {
  const tiny = populated(5);
  assertEquals(tiny.mmu.pagesWithMmio, 5);
  tiny.run(zapAllPages(tiny.mmu));
  assertEquals(tiny.mmu.pagesWithMmio, 0);
  assertEquals(tiny.mmu.counters.counts[Work.mmioSptesZapped], 5);
});

function givesBack(lock: Lock, step: Step): boolean {
  return step === lock.release || step === lock.leave;
}

Deno.test("zapAllPages() of 6.1 takes a root in use off the list, and goes between two generations", () => {
  const tiny = new TinyLegacy();
  const { mmu, vcpu } = tiny;
  const { pool } = mmu;
  tiny.slot();
  tiny.handle(5);
  const { root } = vcpu;
  const serial = pool.serial[root];
  tiny.run(zapAllPages(mmu));
  assertEquals([mmu.validGen, pool.newest, pool.used, isInvalid(pool.role[root])], [1, NO_PAGE, 1, true]);
  assertEquals([mmu.stats.mmu_shadow_zapped, mmu.stats.pages_4k, auditBooks(mmu)], [4, 0, []]);
  // The same generation again: the old root must not be taken for a valid page.
  tiny.run(zapAllPages(mmu));
  assertEquals([mmu.validGen, mmu.isObsolete(root)], [0, true]);
  tiny.run(prepareEntry(mmu, vcpu));
  assert(pool.serial[vcpu.root] !== serial);
  assertEquals([pool.used, mmu.stats.mmu_shadow_zapped, auditBooks(mmu)], [1, 5, []]);
});

Deno.test("zapAllAtEnd() zaps the newest first, and leaves the roots to their vCPUs", () => {
  const order: number[] = [];
  const sink = {
    on: true,
    emit: ({ name }: TraceEvent, _vcpu: number, ...args: number[]) => {
      if (name === "kvm_mmu_prepare_zap_page") order.push(args[1]);
    },
  };
  const tiny = new TinyLegacy({ trace: sink });
  const { mmu, vcpu } = tiny;
  for (const gfn of [0, 512]) tiny.handle(gfn);
  tiny.run(zapAllAtEnd(mmu));
  assertEquals([order[0], order.length, mmu.pool.used, auditBooks(mmu)], [512, 5, 1, []]);
  tiny.run(freeRoot(mmu, vcpu));
  assertEquals([order.length, mmu.pool.used, auditBooks(mmu)], [6, 0, []]);
});
