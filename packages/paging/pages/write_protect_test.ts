import { assertEquals } from "@std/assert";
import { fastPageFault } from "../fault/fast_page_fault.ts";
import { PAGE_RULES_4_10 } from "./page_rules.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_WRITABLE } from "./spte_bits.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { getDirtyLog, removeWriteAccess } from "./write_protect.ts";

Deno.test("removeWriteAccess() protects every page of the slot, drops large mappings, and flushes", () => {
  const tiny = new TinyMmu({ hugetlb: 2 });
  const region = { gpa: 0x100000, size: 0x400000, userspaceAddr: 0x40100000 };
  tiny.slot(region);
  tiny.fault(0x100);
  tiny.fault(0x234);
  assertEquals([tiny.mapped(0x100), tiny.mapped(0x234)], ["1:256", "2:512"]);
  tiny.vcpu.flushRequested = false;
  tiny.slot({ ...region, flags: 1 });
  tiny.run(removeWriteAccess(tiny.mmu, tiny.mmu.memslots[0].active.byId(0)!));
  assertEquals(tiny.entry(0x100).lo & SPTE_WRITABLE, 0);
  assertEquals(tiny.mapped(0x234), "none");
  assertEquals(tiny.mmu.stats.largepages, 0);
  assertEquals(tiny.vcpu.flushRequested, true);
});

Deno.test("removeWriteAccess() of 4.10 flushes only if a mapping has lost write access", () => {
  const tiny = new TinyMmu({ pageRules: PAGE_RULES_4_10 });
  tiny.slot();
  const protect = () => {
    tiny.vcpu.flushRequested = false;
    tiny.run(removeWriteAccess(tiny.mmu, tiny.mmu.memslots[0].active.byId(0)!));
    return tiny.vcpu.flushRequested;
  };
  tiny.fault(5);
  assertEquals([protect(), protect()], [true, false]);
});

Deno.test("getDirtyLog() reports each page once, in order, and protects what it reports", () => {
  const tiny = new TinyMmu();
  tiny.slot({ flags: 1 });
  for (const gfn of [9, 2, 5]) tiny.fault(gfn, PFERR_WRITE);
  const slot = tiny.mmu.memslots[0].active.byId(0)!;
  assertEquals(tiny.run(getDirtyLog(tiny.mmu, slot)), [2, 5, 9]);
  assertEquals(tiny.run(getDirtyLog(tiny.mmu, slot)), []);
  // Reported by a later write, which faults because of the protection.
  assertEquals(fastPageFault(tiny.mmu, tiny.vcpu, 9 * 4096, 1, PFERR_WRITE | PFERR_PRESENT), true);
  assertEquals(tiny.run(getDirtyLog(tiny.mmu, slot)), [9]);
});
