import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { changeRoot } from "../root.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { zapAllPages } from "../pages/zap.ts";

const DIRTY = 0x200;
const WRITE = PFERR_PRESENT | PFERR_WRITE;

Deno.test("directPageFault() maps a page and its neighbours, the run at the end of the eight too", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ size: 0x7000 });
  assertEquals(tiny.handle(3), 1);
  // The last run reaches beyond the slot, so it is left out whole.
  assertEquals([0, 2, 3, 4].map((gfn) => tiny.mapped(gfn)), ["1:0", "1:2", "1:3", "none"]);
  const other = new TinyLegacy();
  other.slot();
  other.handle(3);
  assertEquals([0, 3, 4, 7, 8].map((gfn) => other.mapped(gfn)), ["1:0", "1:3", "1:4", "1:7", "none"]);
  assertEquals([other.mmu.stats.pf_fixed, other.mmu.stats.pages_4k, auditBooks(other.mmu)], [1, 8, []]);
});

Deno.test("directPageFault() says SPURIOUS where the mapping is there already, and prefetches nothing", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  tiny.handle(3);
  // KVM leaves the dirty bit out where the old entry was writable; then nothing changes any more.
  for (let i = 0; i < 2; i++) tiny.handle(3);
  const { pf_taken, pf_fixed, pf_spurious } = tiny.mmu.stats;
  assertEquals([pf_taken, pf_fixed, pf_spurious], [3, 2, 1]);
});

Deno.test("directPageFault() counts an MMIO spte as made, and the access as emulated", () => {
  const tiny = new TinyLegacy();
  tiny.handle(0xd0000);
  const { pf_taken, pf_fixed, pf_emulate, pf_mmio_spte_created } = tiny.mmu.stats;
  assertEquals([tiny.mapped(0xd0000), tiny.emulated, tiny.lastRetry], ["mmio", [0xd0000000], false]);
  assertEquals([pf_taken, pf_fixed, pf_emulate, pf_mmio_spte_created], [1, 0, 1, 1]);
});

Deno.test("directPageFault() maps memory over an MMIO spte without the dirty bit, and with it over nothing", () => {
  const tiny = new TinyLegacy();
  tiny.handle(5);
  tiny.slot({ gpa: 0x5000, size: 0x1000 });
  tiny.handle(5, PFERR_RSVD);
  // Prefetch gave up on the runs beside it, which have no slot.
  assertEquals([tiny.mapped(5), tiny.entry(5).lo & DIRTY, tiny.emulated.length], ["1:0", 0, 1]);
  const other = new TinyLegacy();
  other.slot();
  other.handle(5);
  assertEquals(other.entry(5).lo & DIRTY, DIRTY);
});

Deno.test("directPageFault() tries again on a root that became obsolete, and maps nothing", () => {
  const tiny = new TinyLegacy();
  const { mmu, vcpu } = tiny;
  tiny.slot();
  tiny.handle(5);
  const { root } = vcpu;
  tiny.run(zapAllPages(mmu));
  tiny.handle(5);
  assertEquals([vcpu.root, mmu.pool.used, mmu.stats.pf_fixed, tiny.mapped(5)], [root, 1, 1, "none"]);
  tiny.run(changeRoot(mmu, vcpu));
  tiny.handle(5);
  assertEquals([tiny.mapped(5), mmu.stats.pf_fixed, auditBooks(mmu)], ["1:5", 2, []]);
});

Deno.test("directPageFault() maps as large as slot, processor and host allow, and no larger than 4 KiB where dirty pages are logged", () => {
  const tiny = new TinyLegacy({ transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(5);
  assertEquals([tiny.mapped(6), tiny.mmu.stats.pages_2m], ["2:0", 1]);
  tiny.slot({ size: 0x400000, flags: 1 });
  // A large page that may be written is not opened before it is written to.
  tiny.handle(6, WRITE);
  assertEquals([tiny.mapped(6), tiny.mmu.stats.pf_spurious], ["2:0", 1]);
  const { page, index, lo, hi } = tiny.entry(6);
  tiny.locked(() => tiny.mmu.setSpte(page, index, lo & ~SPTE_WRITABLE, hi));
  tiny.handle(6, WRITE);
  assertEquals([tiny.mapped(6), tiny.mapped(5)], ["1:6", "none"]);
  assertEquals([tiny.mmu.stats.pages_4k, tiny.mmu.stats.pages_2m, auditBooks(tiny.mmu)], [1, 0, []]);
});

Deno.test("directPageFault() tries again where the slot is about to go", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  const [memslots] = tiny.mmu.memslots;
  memslots.publish(memslots.active.with({ ...memslots.active.byId(0)!, invalid: true }));
  assertEquals([tiny.handle(5), tiny.mapped(5), tiny.emulated], [1, "none", []]);
});

Deno.test("directPageFault() emulates a write to read-only memory", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ flags: 2 });
  tiny.handle(5);
  tiny.handle(5, WRITE);
  assertEquals([tiny.emulated, tiny.lastRetry, tiny.entry(5).lo & SPTE_WRITABLE], [[0x5000], true, 0]);
});
