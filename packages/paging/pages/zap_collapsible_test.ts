import { assertEquals } from "@std/assert";
import { applySlotFlags } from "./apply_slot_flags.ts";
import { auditBooks } from "../books.ts";
import { PAGE_RULES_4_10 } from "./page_rules.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_WRITABLE } from "./spte_bits.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { HVA, TinyMmu } from "../testdata/tiny_mmu.ts";
import { getDirtyLog } from "./write_protect.ts";
import { zapCollapsible } from "./zap_collapsible.ts";

const WRITE = PFERR_PRESENT | PFERR_WRITE;
const SIZE = 0x400000;

function slotOf(tiny: TinyMmu) {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

/** Changes the flags of the slot, as a memslot update that changes nothing else ends. */
function setFlags(tiny: TinyMmu, flags: number): void {
  const old = slotOf(tiny);
  tiny.slot({ flags, size: SIZE });
  tiny.run(applySlotFlags(tiny.mmu, old, slotOf(tiny), true));
}

Deno.test("zapCollapsible() drops mappings of 4 KiB where a large page could be; the table goes when one is", () => {
  const tiny = new TinyLegacy({ transparentHuge: true });
  const { stats, pool } = tiny.mmu;
  tiny.slot({ size: SIZE });
  tiny.handle(5);
  setFlags(tiny, 1);
  assertEquals([tiny.mapped(5), tiny.entry(5).lo & SPTE_WRITABLE, stats.pages_2m], ["2:0", 0, 1]);
  tiny.handle(5, WRITE);
  assertEquals([tiny.mapped(5), stats.pages_4k, stats.pages_2m, pool.used], ["1:5", 1, 0, 4]);
  tiny.vcpu.flushRequested = false;
  setFlags(tiny, 0);
  assertEquals([tiny.mapped(5), tiny.entry(5).level, stats.pages_4k, tiny.vcpu.flushRequested], ["none", 1, 0, true]);
  tiny.handle(5);
  // The table is nobody's now, and stays on the list until it is zapped.
  assertEquals([tiny.mapped(5), stats.pages_2m, pool.used, auditBooks(tiny.mmu)], ["2:0", 1, 4, []]);
});

Deno.test("zapCollapsible() leaves alone what cannot be larger", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ size: SIZE });
  tiny.handle(5);
  tiny.vcpu.flushRequested = false;
  tiny.run(zapCollapsible(tiny.mmu, slotOf(tiny)));
  assertEquals([tiny.mapped(5), tiny.vcpu.flushRequested], ["1:5", false]);
});

Deno.test("zapCollapsible() leaves alone a table that begins before the slot", () => {
  const tiny = new TinyLegacy({ transparentHuge: true });
  tiny.slot({ gpa: 0x3000, size: SIZE, userspaceAddr: 0x40003000 });
  tiny.handle(5);
  tiny.run(zapCollapsible(tiny.mmu, slotOf(tiny)));
  assertEquals(tiny.mapped(5), "1:5");
});

Deno.test("zapCollapsible() of 4.10 drops what is in a large page of the host, whatever the slot allows", () => {
  const tiny = new TinyMmu({ transparentHuge: true, pageRules: PAGE_RULES_4_10 });
  const { mmu } = tiny;
  tiny.slot({ size: SIZE });
  tiny.fault(5);
  setFlags(tiny, 1);
  assertEquals([tiny.mapped(5), tiny.entry(5).lo & SPTE_WRITABLE], ["2:0", 0]);
  // The lockless path leaves a large page alone, and the long way opens it.
  tiny.fault(5, WRITE);
  assertEquals([tiny.mapped(5), tiny.mapped(6), mmu.stats.pages_2m], ["1:5", "none", 0]);
  assertEquals(tiny.run(getDirtyLog(mmu, slotOf(tiny))), [5]);
  setFlags(tiny, 0);
  assertEquals([tiny.mapped(5), auditBooks(mmu)], ["none", []]);
  tiny.slot({ id: 1, gpa: 0x10003000, size: 0x4000, userspaceAddr: HVA + SIZE });
  tiny.fault(0x10003);
  tiny.run(zapCollapsible(mmu, mmu.memslots[0].active.byId(1)!));
  assertEquals(tiny.mapped(0x10003), "none");
});
