import { assertEquals } from "@std/assert";
import type { Memslot } from "@mmu-lab/memslots";
import { auditBooks } from "../books.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { HVA, type TinyMmu } from "../testdata/tiny_mmu.ts";
import { LIKE_6_12, TinyTdp } from "../tdp-mmu/testdata/tiny_tdp.ts";
import { unmapGfnRange } from "./unmap_gfn_range.ts";

function tiny612(transparentHuge = false): TinyTdp {
  return new TinyTdp(LIKE_6_12.rules, { ...LIKE_6_12.options, transparentHuge });
}

function slotOf(tiny: TinyMmu): Memslot {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

Deno.test("unmapGfnRange() empties the slot's mappings; tables, MMIO sptes and the rest stay", () => {
  const tiny = tiny612();
  const { mmu } = tiny;
  tiny.handle(8);
  tiny.slot();
  for (const gfn of [5, 6, 0xd0000]) tiny.handle(gfn);
  const { used } = mmu.pool;
  tiny.vcpu.flushRequested = false;
  tiny.finish(unmapGfnRange(mmu, slotOf(tiny)), 7);
  assertEquals([5, 6, 8, 0xd0000].map((gfn) => tiny.mapped(gfn)), ["none", "none", "mmio", "mmio"]);
  const { lo, hi } = tiny.entry(5);
  assertEquals([lo, hi], [0, 1 << 31]);
  assertEquals([tiny.vcpu.flushRequested, mmu.pool.used, mmu.stats.pages_4k, mmu.validGen], [true, used, 0, 0]);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("unmapGfnRange() flushes nothing where nothing was mapped", () => {
  const tiny = tiny612();
  tiny.slot();
  tiny.handle(0xd0000);
  tiny.vcpu.flushRequested = false;
  tiny.finish(unmapGfnRange(tiny.mmu, slotOf(tiny)), 7);
  assertEquals([tiny.vcpu.flushRequested, tiny.mapped(0xd0000)], [false, "mmio"]);
});

Deno.test("unmapGfnRange() takes a large page whole", () => {
  const tiny = tiny612(true);
  tiny.slot({ size: 0x400000 });
  tiny.handle(6);
  assertEquals(tiny.mapped(6), "2:0");
  tiny.finish(unmapGfnRange(tiny.mmu, { ...slotOf(tiny), npages: 1 }), 7);
  assertEquals([tiny.mapped(6), tiny.mmu.stats.pages_2m], ["none", 0]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("unmapGfnRange() empties the slot's mappings of every level without a TDP MMU, and nothing else", () => {
  for (const transparentHuge of [false, true]) {
    const tiny = new TinyLegacy({ ...LIKE_6_12.options, transparentHuge });
    const { mmu } = tiny;
    tiny.slot({ size: 0x400000 });
    tiny.slot({ id: 1, gpa: 0x10000000, size: 0x400000, userspaceAddr: HVA + 0x400000 });
    for (const gfn of [5, 0x10005, 0xd0000]) tiny.handle(gfn);
    const { used } = mmu.pool;
    tiny.vcpu.flushRequested = false;
    tiny.run(unmapGfnRange(mmu, slotOf(tiny)));
    assertEquals([tiny.mapped(5), tiny.mapped(0xd0000)], ["none", "mmio"]);
    assertEquals(tiny.mapped(0x10005), transparentHuge ? "2:1024" : "1:1029");
    assertEquals([tiny.vcpu.flushRequested, mmu.pool.used, auditBooks(mmu)], [true, used, []]);
    assertEquals([mmu.stats.pages_4k, mmu.stats.pages_2m], transparentHuge ? [0, 1] : [8, 0]);
    tiny.vcpu.flushRequested = false;
    tiny.run(unmapGfnRange(mmu, slotOf(tiny)));
    assertEquals(tiny.vcpu.flushRequested, false);
  }
});
