import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { LEVEL_1, LEVEL_2, OTHER_LEVEL_1, READ_ONLY, TinyShadow } from "../testdata/tiny_shadow.ts";
import { getShadowPage } from "./get_shadow_page.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10, SHADOW_RULES_6_1, type ShadowRules } from "./shadow_rules.ts";
import { needWriteProtect } from "./unsync.ts";

function guest(shadowRules: ShadowRules = SHADOW_RULES_3_11): TinyShadow {
  const tiny = new TinyShadow({ shadowRules });
  for (const page of [0, 512]) {
    tiny.guestMaps(page, page === 0 ? 0x40 : 0x41);
    tiny.touch(page, PFERR_WRITE);
  }
  tiny.flushes();
  return tiny;
}

function get(tiny: TinyShadow, gfn: number, level: number, access?: number): number {
  let page = -1;
  tiny.locked(() => page = getShadowPage(tiny.mmu, tiny.vcpu, gfn, tiny.roleOf(level, access)));
  return page;
}

Deno.test("getShadowPage() finds the page of a frame and role, whose floods are forgotten", () => {
  const tiny = guest();
  const { mmu } = tiny;
  const page = tiny.shadowOf(LEVEL_2);
  mmu.shadow.floods.set(page, 2);
  assertEquals(get(tiny, LEVEL_2, 2), page);
  assertEquals(mmu.shadow.floods.has(page), false);
  assert(get(tiny, LEVEL_2, 2, 5) !== page);
  mmu.validGen++;
  assert(get(tiny, LEVEL_2, 2) !== page);
});

Deno.test("getShadowPage() takes write access from all that maps the frame of a new table", () => {
  const tiny = guest();
  assertEquals(tiny.spte(0) & SPTE_WRITABLE, SPTE_WRITABLE);
  get(tiny, 0x40, 1);
  assertEquals(tiny.spte(0) & SPTE_WRITABLE, 0);
  assertEquals(tiny.spte(512) & SPTE_WRITABLE, SPTE_WRITABLE);
  assertEquals(tiny.flushes().all, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("getShadowPage() syncs a page that is out of date, and the guest may go on to write its table", () => {
  const tiny = guest();
  tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
  tiny.guestMaps(0, 0x40, READ_ONLY);
  const page = tiny.shadowOf(LEVEL_1);
  assertEquals(get(tiny, LEVEL_1, 1), page);
  assertEquals(tiny.spte(0) & SPTE_WRITABLE, 0);
  assert(tiny.mmu.pool.isUnsync(page));
});

Deno.test("getShadowPage() makes a page anew that a sync finds empty, where kernels zap such pages", () => {
  for (const [rules, same] of [[SHADOW_RULES_4_10, false], [SHADOW_RULES_6_1, true]] as const) {
    const tiny = guest(rules);
    tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
    tiny.guestMaps(0, 0);
    const { serial } = tiny.mmu.pool;
    const before = serial[tiny.shadowOf(LEVEL_1)];
    assertEquals(serial[get(tiny, LEVEL_1, 1)] === before, same);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("a table of level 1 that comes to be one of level 2 is up to date: 4.10 syncs its page, 6.1 zaps it", () => {
  for (const [rules, stays] of [[SHADOW_RULES_4_10, true], [SHADOW_RULES_6_1, false]] as const) {
    const tiny = guest(rules);
    tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
    get(tiny, LEVEL_1, 2);
    assertEquals(tiny.mmu.stats.mmu_unsync, 0);
    const { pool } = tiny.mmu;
    let ofLevel1 = 0;
    for (let page = pool.newest; page >= 0; page = pool.olderThan(page)) {
      if (pool.gfn[page] === LEVEL_1 && pool.role[page] === tiny.roleOf(1)) ofLevel1++;
    }
    assertEquals(ofLevel1, stays ? 1 : 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("a table that is found again with pages below that are out of date: 4.10 asks for a sync of all, 6.1 does not", () => {
  for (const [rules, requested] of [[SHADOW_RULES_4_10, true], [SHADOW_RULES_6_1, false]] as const) {
    const tiny = guest(rules);
    tiny.locked(() => needWriteProtect(tiny.mmu, 0, OTHER_LEVEL_1, true, false));
    tiny.vcpu.syncRequested = false;
    get(tiny, LEVEL_2, 2);
    assertEquals(tiny.vcpu.syncRequested, requested);
  }
});
