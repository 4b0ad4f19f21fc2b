import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { getPage } from "./get_page.ts";
import { PAGE_RULES_3_11, PAGE_RULES_4_10, PAGE_RULES_4_19, type PageRules } from "./page_rules.ts";
import { RetPf } from "../fault/ret_pf.ts";
import { directRole } from "./role.ts";
import { linkPage, type Mapping, setLeaf, updateSpte } from "./set_leaf.ts";
import { SPTE_WRITABLE } from "./spte_bits.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { FRAME, TinyMmu } from "../testdata/tiny_mmu.ts";

/** Maps a gfn at the place where it is mapped now, and says what became of it and whether TLBs are to be flushed. */
function set(tiny: TinyMmu, gfn: number, changes: Partial<Mapping> = {}): [result: number, flushed: boolean] {
  const { page, index, level } = tiny.entry(gfn);
  const slot = tiny.mmu.memslots[0].active.byId(0);
  const mapping: Mapping = { gfn, level, slot, pfn: FRAME + gfn, writable: true, ...changes };
  tiny.vcpu.flushRequested = false;
  let result: number = RetPf.INVALID;
  tiny.locked(() => {
    result = setLeaf(tiny.mmu, tiny.vcpu, page, index, mapping, level, ACC_ALL, false, false);
  });
  return [result, tiny.vcpu.flushRequested];
}

Deno.test("setLeaf() says whether anything has changed, and drops a mapping of another frame with a flush", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  tiny.handle(5);
  // The dirty bit goes the first time, for the entry is writable already.
  assertEquals([set(tiny, 5), set(tiny, 5)], [[RetPf.FIXED, true], [RetPf.SPURIOUS, false]]);
  assertEquals(set(tiny, 5, { pfn: FRAME + 9 }), [RetPf.FIXED, true]);
  assertEquals([tiny.mapped(5), auditBooks(tiny.mmu)], ["1:9", []]);
});

Deno.test("setLeaf() writes an MMIO spte where there is no slot, and what was mapped there goes", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  tiny.handle(5);
  const { pages_4k } = tiny.mmu.stats;
  assertEquals(set(tiny, 5, { slot: undefined }), [RetPf.EMULATE, true]);
  assertEquals([tiny.mapped(5), tiny.mmu.stats.pages_4k, tiny.mmu.warnings], ["mmio", pages_4k - 1, []]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("linkPage() drops the large page that is in the way, and counts it no more", () => {
  for (const tiny of [new TinyLegacy({ transparentHuge: true }), new TinyMmu({ transparentHuge: true })]) {
    const { mmu } = tiny;
    tiny.slot({ size: 0x400000 });
    tiny.fault(5);
    const { page, index } = tiny.entry(5);
    tiny.vcpu.flushRequested = false;
    tiny.locked(() => linkPage(mmu, page, index, getPage(mmu, 0, directRole(1))));
    assertEquals([tiny.mapped(5), tiny.entry(5).level, tiny.vcpu.flushRequested], ["none", 1, true]);
    assertEquals([mmu.stats.pages_2m, mmu.stats.largepages, auditBooks(mmu)], [0, 0, []]);
  }
});

Deno.test("updateSpte() flushes when write access goes; 6.1 also when it had gone before, or the accessed bit goes", () => {
  const flushes = (tiny: TinyMmu, before: number, after: number) => {
    tiny.slot();
    tiny.fault(5);
    const { page, index, lo, hi } = tiny.entry(5);
    tiny.vcpu.flushRequested = false;
    tiny.locked(() => {
      tiny.mmu.setSpte(page, index, lo & ~before, hi);
      updateSpte(tiny.mmu, page, index, lo & ~after, hi);
    });
    return tiny.vcpu.flushRequested;
  };
  const accessed = new TinyMmu().mmu.bits.accessed;
  const cases: [before: number, after: number][] = [[0, 0], [0, SPTE_WRITABLE], [SPTE_WRITABLE, SPTE_WRITABLE], [
    0,
    accessed,
  ]];
  assertEquals(cases.map(([before, after]) => flushes(new TinyMmu(), before, after)), [false, true, false, false]);
  assertEquals(cases.map(([before, after]) => flushes(new TinyLegacy(), before, after)), [false, true, true, true]);
});

Deno.test("setLeaf() counts an MMIO spte with bit 7 set as a large page, as 3.11 does", () => {
  const tiny = new TinyMmu();
  const counted: number[] = [];
  for (let gfn = 0x1000; gfn < 0x1000 + 40; gfn++) {
    const before = tiny.mmu.stats.largepages;
    tiny.fault(gfn);
    const { lo } = tiny.entry(gfn);
    counted.push(tiny.mmu.stats.largepages - before - ((lo & 0x80) !== 0 ? 1 : 0));
    tiny.bump();
  }
  assertEquals(counted.filter((difference) => difference !== 0), []);
  assertEquals(tiny.mmu.stats.largepages > 0, true);
});

Deno.test("updateSpte() of 4.10 flushes for dirty bits that come, too", () => {
  const flushes = (pageRules: PageRules) => {
    const tiny = new TinyMmu({ pageRules });
    tiny.slot();
    tiny.fault(5);
    const { page, index, lo, hi } = tiny.entry(5);
    const change = (to: number) => {
      tiny.vcpu.flushRequested = false;
      tiny.locked(() => updateSpte(tiny.mmu, page, index, to, hi));
      return tiny.vcpu.flushRequested;
    };
    const { dirty } = tiny.mmu.bits;
    change(lo | dirty);
    return [change(lo & ~dirty), change(lo | dirty)];
  };
  assertEquals(flushes(PAGE_RULES_3_11), [false, false]);
  assertEquals(flushes(PAGE_RULES_4_10), [true, true]);
  assertEquals(flushes(PAGE_RULES_4_19), [true, false]);
});
