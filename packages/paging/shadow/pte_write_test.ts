import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, LEVEL_2, TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { pteWrite } from "./pte_write.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10, SHADOW_RULES_6_1, type ShadowRules } from "./shadow_rules.ts";
import { unprotectPage } from "./unprotect_page.ts";

/** A guest with page 0 mapped to frame 0x40. */
function guest(shadowRules: ShadowRules = SHADOW_RULES_3_11): TinyShadow {
  const tiny = new TinyShadow({ shadowRules });
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  tiny.flushes();
  return tiny;
}

/** The emulator has written bytes of a table. */
function written(tiny: TinyShadow, table: number, offset: number, bytes: number): void {
  tiny.run(pteWrite(tiny.mmu, tiny.vcpu, table * 4096 + offset, bytes));
}

Deno.test("pteWrite() sets an entry of level 1 to what was written, to 4.19; 6.1 drops it", () => {
  for (
    const [rules, anew] of [[SHADOW_RULES_3_11, true], [SHADOW_RULES_4_10, true], [SHADOW_RULES_6_1, false]] as const
  ) {
    const tiny = guest(rules);
    tiny.guestMaps(0, 0x41);
    written(tiny, LEVEL_1, 0, 8);
    assertEquals(tiny.spte(0) >>> 12, anew ? FRAME + 0x41 : 0);
    assertEquals(tiny.mmu.stats.mmu_pte_updated, anew ? 1 : 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("pteWrite() flushes all TLBs if a mapping changes, and else the writer's own in kernels that set entries anew", () => {
  for (const [rules, own] of [[SHADOW_RULES_3_11, true], [SHADOW_RULES_6_1, false]] as const) {
    const tiny = guest(rules);
    tiny.guestMaps(0, 0x41);
    written(tiny, LEVEL_1, 0, 8);
    assertEquals(tiny.flushes().all, 1);
    // Nobody has anything of an entry that maps nothing.
    written(tiny, LEVEL_1, 8 * 100, 8);
    assertEquals(tiny.flushes(), { own, all: 0 });
  }
});

Deno.test("pteWrite() takes a write of half an entry for one of the entry", () => {
  for (const offset of [0, 4]) {
    const tiny = guest();
    tiny.guestMaps(0, 0x41);
    written(tiny, LEVEL_1, offset, 4);
    assertEquals(tiny.spte(0) >>> 12, FRAME + 0x41);
  }
});

Deno.test("pteWrite() zaps a page that is written askew, or in pieces too small for an entry; a first byte alone is none", () => {
  for (
    const [offset, bytes, zapped] of [[4, 8, true], [2, 2, true], [9, 1, true], [8, 1, false], [8, 8, false]] as const
  ) {
    const tiny = guest();
    written(tiny, LEVEL_1, offset, bytes);
    assertEquals(tiny.shadowOf(LEVEL_1) < 0, zapped, `${bytes} bytes at ${offset}`);
    assertEquals(tiny.mmu.stats.mmu_flooded, zapped ? 1 : 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("pteWrite() zaps a table above level 1 at the third write without use between them", () => {
  const tiny = guest();
  for (const offset of [8 * 100, 8 * 101]) written(tiny, LEVEL_2, offset, 8);
  // A fault goes by way of the table, which is in use then.
  tiny.guestMaps(9, 0x40);
  tiny.touch(9);
  for (const offset of [8 * 102, 8 * 103]) written(tiny, LEVEL_2, offset, 8);
  assert(tiny.shadowOf(LEVEL_2) >= 0);
  written(tiny, LEVEL_2, 8 * 104, 8);
  assertEquals(tiny.shadowOf(LEVEL_2), -1);
  assertEquals(tiny.mmu.stats.mmu_flooded, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("pteWrite() never takes writes to a table of level 1 for a flood", () => {
  const tiny = guest();
  for (let i = 0; i < 10; i++) written(tiny, LEVEL_1, 8 * (100 + i), 8);
  assert(tiny.shadowOf(LEVEL_1) >= 0);
});

Deno.test("pteWrite() counts a link that is written over, and drops it", () => {
  const tiny = guest();
  tiny.tables.write8(LEVEL_2, 0, 0x30 * 4096 + USED, 0);
  written(tiny, LEVEL_2, 0, 8);
  assertEquals(tiny.mmu.stats.mmu_pde_zapped, 1);
  assertEquals(tiny.mmu.pool.lo(tiny.shadowOf(LEVEL_2), 0), 0);
  assert(tiny.shadowOf(LEVEL_1) >= 0);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("unprotectPage() zaps the pages of a table, and says whether there were any", () => {
  const tiny = guest();
  assertEquals(tiny.run(unprotectPage(tiny.mmu, LEVEL_1)), true);
  assertEquals(tiny.shadowOf(LEVEL_1), -1);
  assertEquals(tiny.run(unprotectPage(tiny.mmu, LEVEL_1)), false);
  assertEquals(tiny.run(unprotectPage(tiny.mmu, 0x40)), false);
  assertEquals(auditBooks(tiny.mmu), []);
});
