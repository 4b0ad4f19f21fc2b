import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { getDirtyLog } from "../pages/write_protect.ts";
import { applySlotFlags } from "../pages/apply_slot_flags.ts";
import { PAGE_RULES_6_1 } from "../pages/page_rules.ts";
import { TinyTdp } from "./testdata/tiny_tdp.ts";

const WRITE = PFERR_PRESENT | PFERR_WRITE;
const DIRTY = 0x200;

function setFlags(tiny: TinyTdp, flags: number, size: number): void {
  const old = slotOf(tiny);
  tiny.slot({ flags, size });
  tiny.finish(applySlotFlags(tiny.mmu, old, slotOf(tiny), true), 7);
}

function slotOf(tiny: TinyTdp) {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

Deno.test("applySlotFlags() takes write access when logging begins, and a write gets it back without the lock", () => {
  const tiny = new TinyTdp();
  tiny.slot();
  tiny.handle(5);
  tiny.vcpu.flushRequested = false;
  setFlags(tiny, 1, 0x10000);
  assertEquals([tiny.entry(5).lo & SPTE_WRITABLE, tiny.vcpu.flushRequested], [0, true]);
  tiny.handle(5, WRITE);
  assertEquals([tiny.entry(5).lo & SPTE_WRITABLE, tiny.mmu.stats.pf_fast, tiny.mmu.stats.pf_fixed], [2, 1, 2]);
  assertEquals(tiny.finish(getDirtyLog(tiny.mmu, slotOf(tiny)), 7), [5]);
  assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, 0);
  assertEquals(tiny.finish(getDirtyLog(tiny.mmu, slotOf(tiny)), 7), []);
  tiny.handle(5, WRITE);
  tiny.handle(5, WRITE);
  assertEquals([tiny.mmu.stats.pf_fast, tiny.mmu.stats.pf_spurious], [3, 1]);
});

Deno.test("applySlotFlags() splits large pages when logging begins, and zaps the table when it ends", () => {
  const tiny = new TinyTdp({}, { transparentHuge: true });
  const { stats } = tiny.mmu;
  tiny.slot({ size: 0x400000 });
  tiny.handle(5);
  assertEquals([tiny.mapped(6), stats.pages_2m], ["2:0", 1]);
  setFlags(tiny, 1, 0x400000);
  assertEquals([tiny.mapped(6), tiny.entry(6).lo & SPTE_WRITABLE], ["1:6", 0]);
  assertEquals([stats.pages_4k, stats.pages_2m, auditBooks(tiny.mmu)], [512, 0, []]);
  tiny.handle(6, WRITE);
  setFlags(tiny, 0, 0x400000);
  assertEquals([tiny.mapped(6), stats.pages_4k, auditBooks(tiny.mmu)], ["none", 0, []]);
  tiny.handle(6);
  assertEquals([tiny.mapped(6), stats.pages_2m], ["2:0", 1]);
});

Deno.test("applySlotFlags() clears dirty bits instead where the processor logs dirty pages", () => {
  const tiny = new TinyTdp({}, { pageRules: { ...PAGE_RULES_6_1, dirtyLog: "dirty-bit" } });
  tiny.slot();
  tiny.handle(5);
  setFlags(tiny, 1, 0x10000);
  assertEquals(tiny.entry(5).lo & (SPTE_WRITABLE | DIRTY), SPTE_WRITABLE);
  tiny.handle(6);
  assertEquals(tiny.entry(6).lo & (SPTE_WRITABLE | DIRTY), SPTE_WRITABLE | DIRTY);
  assertEquals(tiny.finish(getDirtyLog(tiny.mmu, slotOf(tiny)), 7), [6]);
  assertEquals(tiny.entry(6).lo & (SPTE_WRITABLE | DIRTY), SPTE_WRITABLE);
});

Deno.test("applySlotFlags() leaves a read-only slot alone", () => {
  const tiny = new TinyTdp();
  tiny.slot({ flags: 2 });
  tiny.handle(5);
  const before = tiny.entry(5);
  setFlags(tiny, 3, 0x10000);
  assertEquals(tiny.entry(5), before);
  assertEquals(before.hi >>> 20, 0);
});
