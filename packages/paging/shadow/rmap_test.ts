import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { FAULT_RULES_3_11 } from "../fault/fault_rules.ts";
import { PFERR_WRITE } from "../fault/pferr.ts";
import { eachMapping } from "../pages/each_mapping.ts";
import { PAGE_RULES_3_11, PAGE_RULES_4_10 } from "../pages/page_rules.ts";
import { SPTE_MMU_WRITABLE, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { dropSpte } from "../pages/zap.ts";
import { LEVEL_1, LEVEL_2, READ_ONLY, TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { protectLogged, rmapAdd, rmapRemove, rmapWriteProtect } from "./rmap.ts";
import { rmapKey } from "./shadow_books.ts";

const WRITABLE = SPTE_WRITABLE | SPTE_MMU_WRITABLE;

Deno.test("the reverse map knows each mapping of a frame, until it is dropped", () => {
  const tiny = new TinyShadow();
  const { mmu } = tiny;
  for (const page of [0, 9, 512]) {
    tiny.guestMaps(page, 0x40);
    tiny.touch(page);
  }
  const sptes = mmu.shadow.rmap.get(rmapKey(0x40, 1))!;
  assertEquals(sptes.length, 3);
  const page = tiny.shadowOf(LEVEL_1);
  tiny.locked(() => dropSpte(mmu, page, 0));
  assertEquals(
    mmu.shadow.rmap.get(rmapKey(0x40, 1))!.toSorted(),
    sptes.filter((spte) => spte !== page * 512).toSorted(),
  );
  assertEquals(auditBooks(mmu), []);
});

Deno.test("rmapAdd() notes frame and rights of an entry, and rmapRemove() leaves no list behind", () => {
  const tiny = new TinyShadow();
  const { mmu } = tiny;
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  const page = tiny.shadowOf(LEVEL_1);
  rmapAdd(mmu, page, 7, 0x50, 1, 5);
  assertEquals([mmu.shadow.gfnOf(page, 7), mmu.shadow.accessAt(page, 7)], [0x50, 5]);
  assertEquals(mmu.shadow.rmap.get(rmapKey(0x50, 1)), [page * 512 + 7]);
  rmapRemove(mmu, page, 7);
  assertEquals([...mmu.shadow.rmap.keys()], [rmapKey(0x40, 1)]);
});

Deno.test("beyond 1000 mappings of a frame all of them go, and TLBs are flushed", () => {
  const tiny = new TinyShadow();
  const { mmu } = tiny;
  for (let page = 0; page < 1024; page++) tiny.guestMaps(page, 0x40, READ_ONLY);
  // Neighbours are mapped with the one that is touched, eight at a time.
  for (let page = 0; page < 1000; page += 8) tiny.touch(page);
  assertEquals(mmu.shadow.rmap.get(rmapKey(0x40, 1))!.length, 1000);
  tiny.flushes();
  tiny.touch(1000);
  assertEquals(mmu.shadow.rmap.get(rmapKey(0x40, 1))!.length, 7);
  assert(tiny.flushes().all > 0);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("rmapWriteProtect() takes write access so that nobody gives it back without the lock, dirty logging does not", () => {
  const tiny = new TinyShadow();
  const { mmu } = tiny;
  tiny.guestMaps(0, 0x40);
  tiny.touch(0, PFERR_WRITE);
  assertEquals(tiny.spte(0) & WRITABLE, WRITABLE);
  tiny.locked(() => {
    assertEquals(eachMapping(mmu, 0, 0x40, 1, protectLogged), true);
    assertEquals(tiny.spte(0) & WRITABLE, SPTE_MMU_WRITABLE);
    assertEquals(eachMapping(mmu, 0, 0x40, 1, protectLogged), false);
    // The entry changes, but no TLB holds what it does not allow.
    assertEquals(rmapWriteProtect(mmu, 0, 0x40), false);
    assertEquals(tiny.spte(0) & WRITABLE, 0);
  });
});

Deno.test("rmapWriteProtect() leaves the frame of the other address space alone", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(0, 0x40);
  tiny.touch(0, PFERR_WRITE);
  tiny.locked(() => assertEquals(rmapWriteProtect(tiny.mmu, 1, 0x40), false));
  assertEquals(tiny.spte(0) & WRITABLE, WRITABLE);
});

Deno.test("a large mapping goes in 3.11 when a table in it is shadowed, and loses write access in 4.10", () => {
  for (const [pageRules, stays] of [[PAGE_RULES_3_11, false], [PAGE_RULES_4_10, true]] as const) {
    const tiny = new TinyShadow({ pageRules, faultRules: FAULT_RULES_3_11, hugetlb: 2 });
    const { mmu } = tiny;
    tiny.slot({ id: 1, gpa: 0x200000, size: 0x200000, userspaceAddr: 0x40200000 });
    tiny.tables.write8(LEVEL_2, 2, 0x200000 + USED + 0x80, 0);
    tiny.touch(1024, PFERR_WRITE);
    assertEquals(mmu.stats.largepages, 1);
    tiny.locked(() => assertEquals(rmapWriteProtect(mmu, 0, 0x234), true));
    assertEquals(mmu.stats.largepages, stays ? 1 : 0);
    const lo = mmu.pool.lo(tiny.shadowOf(LEVEL_2), 2);
    assertEquals([lo !== 0, lo & WRITABLE], [stays, 0]);
  }
});
