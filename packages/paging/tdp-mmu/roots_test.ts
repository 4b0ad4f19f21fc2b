import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { isInvalid } from "../pages/role.ts";
import { freeRoot, prepareEntry } from "../root.ts";
import { zapAllPages } from "../pages/zap.ts";
import { isObsoleteRoot } from "../root.ts";
import { releaseRoots, zapAllTdp } from "./roots.ts";
import { LIKE_6_12, TinyTdp } from "./testdata/tiny_tdp.ts";

Deno.test("takeTdpRoot() gives all vCPUs of an address space one root, which outlives them", () => {
  const tiny = new TinyTdp();
  const other = tiny.addVcpu();
  assertEquals(other.root, tiny.vcpu.root);
  assertEquals(tiny.mmu.pool.rootCount[other.root], 2);
  tiny.handle(0xd0000);
  for (const vcpu of tiny.mmu.vcpus) tiny.finish(freeRoot(tiny.mmu, vcpu), vcpu.index);
  assertEquals([tiny.mmu.pool.used, auditBooks(tiny.mmu)], [4, []]);
  tiny.finish(prepareEntry(tiny.mmu, other), 1);
  assertEquals([other.root, tiny.mmu.pool.used], [tiny.tdp.roots[0].page, 4]);
});

Deno.test("zapAllFast() invalidates roots under the lock, and zaps them under the lock taken to read", () => {
  const tiny = new TinyTdp();
  const { mmu, vcpu } = tiny;
  tiny.slot();
  tiny.handle(5);
  const old = vcpu.root;
  const zap = zapAllPages(mmu);
  const go = tiny.until(zap, "acquire mmu_lock to read", 1, 7);
  assertEquals([isInvalid(mmu.pool.role[old]), isObsoleteRoot(mmu, vcpu), vcpu.reloadRequested], [true, true, true]);
  assertEquals([tiny.mapped(5), mmu.validGen], ["1:5", 1]);
  // The vCPU need not wait: it takes a new root and maps the page anew.
  tiny.finish(prepareEntry(mmu, vcpu), 0);
  tiny.handle(5);
  assertEquals([vcpu.root === old, tiny.tdp.roots.length, mmu.pool.used], [false, 2, 8]);
  go();
  tiny.finish(zap, 7);
  assertEquals([tiny.mapped(5), tiny.tdp.roots.length, mmu.pool.used, mmu.zapped], ["1:5", 1, 4, []]);
  assertEquals([mmu.stats.pages_4k, mmu.stats.mmu_shadow_zapped, auditBooks(mmu)], [1, 0, []]);
});

Deno.test("zapAllFast() of 6.12 empties the mappings before it takes a table away", () => {
  const tiny = new TinyTdp(LIKE_6_12.rules, LIKE_6_12.options);
  const { mmu } = tiny;
  tiny.slot();
  for (const gfn of [5, 6, 0x20]) tiny.handle(gfn);
  const zap = zapAllPages(mmu);
  // The third exchange would take the table at level 2's entry.
  tiny.until(zap, "compare and exchange the spte", 3, 7)();
  assertEquals([mmu.stats.pages_4k, mmu.pool.used, mmu.pagesWithMmio], [0, 4, 1]);
  tiny.finish(zap, 7);
  assertEquals([mmu.pool.used, mmu.pagesWithMmio, auditBooks(mmu)], [1, 0, []]);
});

Deno.test("a root that was zapped lives on, empty, until the last vCPU drops it", () => {
  const tiny = new TinyTdp();
  const { mmu, vcpu } = tiny;
  tiny.handle(5);
  const old = vcpu.root;
  tiny.finish(zapAllPages(mmu), 7);
  assertEquals([mmu.pool.isLive(old), mmu.pool.used, mmu.pagesWithMmio], [true, 1, 0]);
  tiny.finish(freeRoot(mmu, vcpu), 0);
  assertEquals([mmu.pool.isLive(old), mmu.pool.used, vcpu.root], [false, 0, NO_PAGE]);
  tiny.finish(zapAllPages(mmu), 7);
  assertEquals([mmu.validGen, auditBooks(mmu)], [0, []]);
});

Deno.test("pages that were taken out are freed when nobody reads them under RCU any more", () => {
  const tiny = new TinyTdp();
  const { mmu } = tiny;
  tiny.handle(5);
  const zap = zapAllPages(mmu);
  const go = tiny.until(zap, "compare and exchange the spte", 1, 7);
  go();
  tiny.execution.actor = 7;
  const { value } = zap.next();
  // The tables are out; the zap itself still reads.
  assertEquals([mmu.zapped.length, tiny.tdp.readers, auditBooks(mmu)], [2, 1, []]);
  if (value) value.take(7);
  tiny.finish(zap, 7);
  assertEquals([mmu.zapped.length, tiny.tdp.readers], [0, 0]);
});

Deno.test("the end of a VM frees all", () => {
  const tiny = new TinyTdp();
  const { mmu, vcpu } = tiny;
  tiny.slot();
  tiny.handle(5);
  tiny.handle(0xd0000);
  tiny.finish(zapAllTdp(mmu, tiny.tdp), 7);
  assertEquals([mmu.pool.used, mmu.stats.pages_4k], [1, 0]);
  tiny.finish(freeRoot(mmu, vcpu), 0);
  tiny.finish(releaseRoots(mmu, tiny.tdp), 7);
  assertEquals([mmu.pool.used, tiny.tdp.roots, mmu.pagesWithMmio, auditBooks(mmu)], [0, [], 0, []]);
});
