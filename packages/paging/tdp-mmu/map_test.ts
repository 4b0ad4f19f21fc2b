import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "../fault/pferr.ts";
import { zapAllPages } from "../pages/zap.ts";
import { applyFlagsToTdp } from "./dirty_log.ts";
import { LIKE_6_12, TinyTdp } from "./testdata/tiny_tdp.ts";

const EXCHANGE = "compare and exchange the spte";
const MARK = "read the generation and write the MMIO spte";

Deno.test("tdpMap() makes the tables that miss and a leaf with the bits of 6.1", () => {
  const tiny = new TinyTdp();
  tiny.slot();
  assertEquals(tiny.handle(5), 1);
  assertEquals(tiny.mapped(5), "1:5");
  const { lo, hi } = tiny.entry(5);
  assertEquals([lo & 0xfff, hi >>> 20], [0xb77, 0x060]);
  assertEquals([tiny.mmu.pool.used, tiny.mmu.stats.pf_fixed, tiny.mmu.stats.pages_4k], [4, 1, 1]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpMap() says SPURIOUS where the mapping is there already", () => {
  const tiny = new TinyTdp();
  tiny.slot();
  tiny.handle(5);
  // KVM leaves the dirty bit out where the old entry was writable, so it is set again only by the processor.
  tiny.handle(5);
  const { lo } = tiny.entry(5);
  assertEquals(lo & 0x200, 0);
  tiny.handle(5);
  assertEquals([tiny.mmu.stats.pf_fixed, tiny.mmu.stats.pf_spurious], [2, 1]);
});

Deno.test("tdpMap() maps memory over an MMIO spte without the dirty bit: bit 1 of it looks like write access", () => {
  const tiny = new TinyTdp();
  tiny.handle(5);
  assertEquals(tiny.mapped(5), "mmio");
  tiny.slot();
  tiny.handle(5, PFERR_RSVD);
  assertEquals([tiny.mapped(5), tiny.entry(5).lo & 0xfff], ["1:5", 0x977]);
});

Deno.test("tdpMap() writes an MMIO spte, and answers the next fault from it", () => {
  const tiny = new TinyTdp();
  tiny.handle(0xd0000);
  tiny.handle(0xd0001);
  assertEquals([tiny.mmu.stats.pf_mmio_spte_created, tiny.mmu.stats.pf_emulate], [2, 2]);
  assertEquals(tiny.handle(0xd0000, PFERR_RSVD), 1);
  assertEquals(tiny.emulated.length, 3);
  assertEquals([tiny.mmu.stats.pf_taken, tiny.lastRetry], [2, false]);
});

Deno.test("tdpMap() replaces a table by a large page, and the table goes with the MMIO sptes that it holds", () => {
  const tiny = new TinyTdp({}, { transparentHuge: true });
  tiny.handle(5);
  assertEquals(tiny.mmu.pagesWithMmio, 1);
  tiny.slot({ size: 0x400000 });
  tiny.handle(6);
  assertEquals([tiny.mapped(5), tiny.mmu.stats.pages_2m, tiny.mmu.pagesWithMmio], ["2:0", 1, 0]);
  assertEquals(tiny.mmu.pool.used, 3);
  assertEquals(tiny.vcpu.flushRequested, true);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpMap() splits a large page where a fault needs a small one: first it goes, with a flush", () => {
  const tiny = new TinyTdp({ eagerPageSplit: false }, { transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(6);
  tiny.slot({ size: 0x400000, flags: 1 });
  tiny.vcpu.flushRequested = false;
  tiny.handle(6);
  assertEquals([tiny.mapped(6), tiny.mapped(7)], ["1:6", "none"]);
  assertEquals([tiny.mmu.stats.pages_4k, tiny.mmu.stats.pages_2m, tiny.vcpu.flushRequested], [1, 0, true]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpMap() of 6.12 splits a large page where a fault needs a small one: nothing goes, nothing is flushed", () => {
  const rules = { ...LIKE_6_12.rules, eagerPageSplit: false };
  const tiny = new TinyTdp(rules, { ...LIKE_6_12.options, transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(6);
  tiny.slot({ size: 0x400000, flags: 1 });
  tiny.vcpu.flushRequested = false;
  tiny.handle(6);
  assertEquals([tiny.mapped(6), tiny.mapped(7)], ["1:6", "1:7"]);
  assertEquals([tiny.mmu.stats.pages_4k, tiny.mmu.stats.pages_2m, tiny.vcpu.flushRequested], [512, 0, false]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpMap() of 6.12 tries again where another vCPU was faster to split, and keeps one table", () => {
  const rules = { ...LIKE_6_12.rules, eagerPageSplit: false };
  const tiny = new TinyTdp(rules, { ...LIKE_6_12.options, transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(6);
  tiny.slot({ size: 0x400000, flags: 1 });
  const other = tiny.addVcpu();
  const slow = tiny.faultProtocol(6);
  const go = tiny.until(slow, EXCHANGE, 1, 0);
  tiny.handle(6, 0, other);
  go();
  assertEquals(tiny.finish(slow, 0), 1);
  assertEquals([tiny.mapped(6), tiny.mmu.pool.used, tiny.mmu.stats.pages_4k], ["1:6", 4, 512]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("the entries of 6.12 have bit 63 set, but for MMIO sptes", () => {
  const tiny = new TinyTdp(LIKE_6_12.rules, LIKE_6_12.options);
  tiny.slot();
  for (const gfn of [5, 0x20]) tiny.handle(gfn);
  assertEquals([5, 6, 0x20].map((gfn) => tiny.entry(gfn).hi >>> 31), [1, 1, 0]);
  assertEquals([tiny.mapped(5), tiny.mapped(6), tiny.mapped(0x20)], ["1:5", "none", "mmio"]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpMap() tries again where another vCPU was faster, with a table or with a mapping", () => {
  for (const times of [1, 2, 3, 4]) {
    const tiny = new TinyTdp();
    tiny.slot();
    const other = tiny.addVcpu();
    const slow = tiny.faultProtocol(5);
    const go = tiny.until(slow, EXCHANGE, times, 0);
    assertEquals(tiny.handle(5, 0, other), 1);
    go();
    assertEquals(tiny.finish(slow, 0), 1);
    assertEquals([tiny.mapped(5), tiny.mmu.stats.pf_fixed, tiny.mmu.stats.pf_taken], ["1:5", 1, 2]);
    assertEquals([tiny.mmu.pool.used, auditBooks(tiny.mmu)], [4, []]);
  }
});

Deno.test("tdpMap() may write its MMIO spte over what a vCPU maps that sees newer slots, unless it is too late", () => {
  const tiny = new TinyTdp();
  tiny.handle(6);
  const other = tiny.addVcpu();
  const slow = tiny.faultProtocol(5);
  const go = tiny.until(slow, MARK, 1, 0);
  tiny.slot();
  tiny.handle(5, 0, other);
  go();
  tiny.finish(slow, 0);
  assertEquals(tiny.mapped(5), "1:5");
  assertEquals(tiny.mmu.stats.pf_mmio_spte_created, 1);
});

Deno.test("tdpMap() leaves a removed entry alone until it is clear", () => {
  const tiny = new TinyTdp({}, { transparentHuge: true });
  tiny.slot({ size: 0x400000, flags: 1 });
  tiny.handle(5);
  tiny.slot({ size: 0x400000 });
  const [memslots] = tiny.mmu.memslots;
  const collapse = applyFlagsToTdp(tiny.mmu, tiny.tdp, memslots.active.byId(0)!);
  const go = tiny.until(collapse, "clear the removed spte", 1, 7);
  assertEquals(auditBooks(tiny.mmu), []);
  tiny.handle(5);
  assertEquals([tiny.mapped(5), tiny.mmu.stats.pf_fixed], ["none", 1]);
  go();
  tiny.finish(collapse, 7);
  tiny.handle(5);
  assertEquals([tiny.mapped(5), tiny.mmu.stats.pages_2m], ["2:0", 1]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("a fault on a root that was invalidated meanwhile tries again, and changes nothing", () => {
  const tiny = new TinyTdp();
  tiny.slot();
  const slow = tiny.faultProtocol(5);
  const go = tiny.until(slow, "acquire mmu_lock to read", 1, 0);
  tiny.finish(zapAllPages(tiny.mmu), 7);
  go();
  assertEquals(tiny.finish(slow, 0), 1);
  assertEquals([tiny.mapped(5), tiny.mmu.stats.pf_fixed], ["none", 0]);
});

Deno.test("a fault on a slot that is going away tries again, and makes no MMIO spte", () => {
  const tiny = new TinyTdp();
  tiny.slot();
  const [memslots] = tiny.mmu.memslots;
  memslots.publish(memslots.active.with({ ...memslots.active.byId(0)!, invalid: true }));
  memslots.complete();
  assertEquals(tiny.handle(5), 1);
  assertEquals([tiny.mapped(5), tiny.emulated.length], ["none", 0]);
});

Deno.test("a gfn above what the processor can map gets no MMIO spte, and is emulated each time", () => {
  const tiny = new TinyTdp();
  const beyond = tiny.mmu.maxGfn + 1;
  tiny.handle(beyond);
  assertEquals([tiny.emulated.length, tiny.mmu.stats.pf_mmio_spte_created, tiny.mmu.pool.used], [1, 0, 1]);
});

Deno.test("a write to a guest table that nobody watches is let through, not emulated", () => {
  const tiny = new TinyTdp();
  tiny.slot({ flags: 2 });
  const write = PFERR_WRITE | PFERR_PRESENT;
  assertEquals(tiny.handle(5, write + 2 ** 33), 1);
  assertEquals(tiny.emulated, []);
  tiny.handle(5, write + 2 ** 32);
  assertEquals([tiny.emulated.length, tiny.lastRetry], [1, true]);
});
