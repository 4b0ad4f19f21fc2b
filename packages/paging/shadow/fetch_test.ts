import { assert, assertEquals } from "@std/assert";
import { walkAddr } from "../guest/walk_addr.ts";
import { auditBooks } from "../books.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { isDirect, levelOf } from "../pages/role.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, LEVEL_2, LEVEL_3, TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { contextOf } from "./context_of.ts";
import { fetchMapping } from "./fetch.ts";
import { rmapKey } from "./shadow_books.ts";

const PSE = 0x80;

/** Walks the guest's tables for a page, lets something happen, and then fetches. */
function fetch(tiny: TinyShadow, page: number, level = 1, between: () => void = () => {}): RetPfResult {
  const { mmu, vcpu } = tiny;
  const { walk, walker } = contextOf(vcpu);
  assert(walkAddr(walk, walker, page * 4096, 0, 0));
  const gfn = walker.gfn - walker.gfn % 512 ** (level - 1);
  const slot = mmu.memslots[0].active.find(walker.gfn);
  between();
  let result: RetPfResult = RetPf.RETRY;
  const mapping = { gfn, level, slot, pfn: FRAME + gfn, writable: true };
  tiny.locked(() => result = fetchMapping(mmu, vcpu, page, mapping, walker.pteAccess, false));
  return result;
}

Deno.test("fetchMapping() shadows each table on the way, and maps what the guest's entry leads to", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(3, 0x40);
  assertEquals(fetch(tiny, 3), RetPf.FIXED);
  assertEquals(tiny.spte(3) >>> 12, FRAME + 0x40);
  assertEquals([LEVEL_3, LEVEL_2, LEVEL_1].map((table) => levelOf(tiny.mmu.pool.role[tiny.shadowOf(table)])), [
    3,
    2,
    1,
  ]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("fetchMapping() maps nothing where the guest has changed an entry since the walk", () => {
  for (const [table, entry] of [[LEVEL_2, 0], [LEVEL_1, 3]] as const) {
    const tiny = new TinyShadow();
    tiny.guestMaps(3, 0x40);
    const changes = () => tiny.tables.write8(table, entry, 0x50 * 4096 + USED, 0);
    assertEquals(fetch(tiny, 3, 1, changes), RetPf.RETRY);
    assertEquals(tiny.mmu.shadow.rmap.size, 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("fetchMapping() splits the guest's large page over direct pages where it may not be mapped large", () => {
  const tiny = new TinyShadow();
  tiny.tables.write8(LEVEL_2, 0, USED | PSE, 0);
  assertEquals(fetch(tiny, 7), RetPf.FIXED);
  const { pool } = tiny.mmu;
  const level2 = tiny.shadowOf(LEVEL_2);
  const child = tiny.mmu.childOf(pool.lo(level2, 0), pool.hi(level2, 0));
  assert(isDirect(pool.role[child]));
  assertEquals([pool.gfn[child], pool.lo(child, 7) >>> 12], [0, FRAME + 7]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("fetchMapping() drops a large mapping where a table is wanted, and flushes TLBs for it", () => {
  const tiny = new TinyShadow();
  tiny.tables.write8(LEVEL_2, 0, USED | PSE, 0);
  const level2 = () => tiny.shadowOf(LEVEL_2);
  // The guest's tables lie in the first 2 MiB, so this is more than KVM would do.
  assertEquals(fetch(tiny, 7, 1), RetPf.FIXED);
  tiny.locked(() => {
    tiny.mmu.setSpte(level2(), 1, (FRAME * 4096 + 512 * 4096 + SPTE_LARGE + 7) | 0, 0);
    tiny.mmu.shadow.rmap.set(rmapKey(512, 2), [level2() * 512 + 1]);
    tiny.mmu.shadow.setTranslation(level2(), 1, 512, 7);
    tiny.mmu.stats.largepages++;
  });
  tiny.flushes();
  tiny.guestMaps(512, 0x40);
  assertEquals(fetch(tiny, 512), RetPf.FIXED);
  assert(tiny.flushes().all > 0);
  assertEquals(tiny.mmu.pool.lo(level2(), 1) & SPTE_LARGE, 0);
  assertEquals(tiny.spte(512) >>> 12, FRAME + 0x40);
});

Deno.test("fetchMapping() forgets writes to the tables that it goes through: they are used", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(3, 0x40);
  fetch(tiny, 3);
  const { floods } = tiny.mmu.shadow;
  const tables = [LEVEL_3, LEVEL_2, LEVEL_1].map((table) => tiny.shadowOf(table));
  for (const table of tables) floods.set(table, 2);
  tiny.guestMaps(4, 0x41);
  fetch(tiny, 4);
  assertEquals([...floods.keys()], []);
});
