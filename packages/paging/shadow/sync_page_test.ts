import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { FAULT_RULES_3_11 } from "../fault/fault_rules.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, OTHER_LEVEL_1, READ_ONLY, TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10, SHADOW_RULES_6_1, SHADOW_RULES_6_12 } from "./shadow_rules.ts";
import { Synced, type SyncedResult, syncOrZap, syncRoots, syncSomeChildren, syncSpte } from "./sync_page.ts";
import { needWriteProtect } from "./unsync.ts";

/** Past the memory of the guest: a device. */
const DEVICE = 0x100;

type Options = ConstructorParameters<typeof TinyShadow>[0];

/** A guest with page 0 mapped to frame 0x40, whose tables of level 1 may be out of date. */
function guest(options: Options = {}, first: number = 0x40): TinyShadow {
  const tiny = new TinyShadow(options);
  tiny.guestMaps(0, first);
  tiny.touch(0);
  tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
  tiny.flushes();
  return tiny;
}

function syncEntry(tiny: TinyShadow, index: number = 0): SyncedResult {
  let result: SyncedResult = Synced.SAME;
  tiny.locked(() => result = syncSpte(tiny.mmu, tiny.vcpu, tiny.shadowOf(LEVEL_1), index));
  return result;
}

function syncTable(tiny: TinyShadow, clear: boolean = true): SyncedResult {
  let result: SyncedResult = Synced.SAME;
  tiny.locked(() => result = syncOrZap(tiny.mmu, tiny.vcpu, tiny.shadowOf(LEVEL_1), clear));
  return result;
}

Deno.test("syncSpte() drops a mapping whose guest entry went, leads elsewhere or was never used, and makes none anew", () => {
  for (const [gfn, bits] of [[0, 0], [0x41, USED], [0x40, 0x47]]) {
    const tiny = guest();
    tiny.guestMaps(0, gfn, bits);
    assertEquals(syncEntry(tiny), Synced.LOST);
    assertEquals(tiny.spte(0), 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("syncSpte() follows the rights of the guest entry", () => {
  const tiny = guest();
  tiny.guestMaps(0, 0x40, READ_ONLY);
  assertEquals(syncEntry(tiny), Synced.SAME);
  assertEquals([tiny.spte(0) & 2, tiny.spte(0) >>> 12], [0, FRAME + 0x40]);
  assertEquals(tiny.mmu.shadow.accessAt(tiny.shadowOf(LEVEL_1), 0), 5);
});

Deno.test("syncSpte() makes an unchanged entry anew, without the accessed bit; 6.12 leaves it alone", () => {
  const accessed = 0x20;
  for (const [shadowRules, left] of [[SHADOW_RULES_6_1, 0], [SHADOW_RULES_6_12, accessed]] as const) {
    const tiny = guest({ shadowRules });
    assertEquals(tiny.spte(0) & accessed, accessed);
    assertEquals(syncEntry(tiny), Synced.SAME);
    assertEquals(tiny.spte(0) & accessed, left);
  }
});

Deno.test("syncSpte() stamps an MMIO spte of the same gfn anew, though there is a slot now; a fix would look", () => {
  for (const [syncedMmioSpte, stays] of [["stamped-anew", true], ["looked-up", false]] as const) {
    const tiny = guest({ faultRules: { ...FAULT_RULES_3_11, syncedMmioSpte } }, DEVICE);
    const before = tiny.spte(0);
    tiny.slot({ id: 1, gpa: DEVICE * 4096, size: 0x1000, userspaceAddr: 0x50000000 });
    assertEquals(syncEntry(tiny), Synced.SAME);
    if (stays) assert(tiny.spte(0) !== before && tiny.spte(0) !== 0);
    else assertEquals(tiny.spte(0), 0);
  }
});

Deno.test("syncSpte() drops an MMIO spte whose guest entry leads elsewhere, and nobody has to flush", () => {
  const tiny = guest({}, DEVICE);
  tiny.guestMaps(0, DEVICE + 1);
  assertEquals(syncEntry(tiny), Synced.SAME);
  assertEquals(tiny.spte(0), 0);
  assertEquals(tiny.flushes(), { own: false, all: 0 });
});

Deno.test("syncOrZap() zaps a page that maps nothing any more, to 5.15; later it is kept", () => {
  for (const [shadowRules, kept] of [[SHADOW_RULES_4_10, false], [SHADOW_RULES_6_1, true]] as const) {
    const tiny = guest({ shadowRules });
    tiny.guestMaps(0, 0);
    assertEquals(syncTable(tiny), kept ? Synced.LOST : Synced.WORTHLESS);
    assertEquals(tiny.shadowOf(LEVEL_1) >= 0, kept);
  }
});

Deno.test("syncOrZap() flushes the vCPU's own TLB in old kernels, and leaves those of others dirty", () => {
  for (const [shadowRules, own] of [[SHADOW_RULES_3_11, true], [SHADOW_RULES_6_1, false]] as const) {
    const tiny = guest({ shadowRules });
    tiny.guestMaps(1, 0x41);
    tiny.touch(1);
    tiny.flushes();
    tiny.guestMaps(0, 0);
    assertEquals(syncTable(tiny), Synced.LOST);
    assertEquals(tiny.flushes(), { own, all: 0 });
    assertEquals(tiny.mmu.shadow.tlbsDirty, own);
  }
});

Deno.test("syncOrZap() takes the mark from a page only if its table is protected again", () => {
  for (const clear of [false, true]) {
    const tiny = guest();
    syncTable(tiny, clear);
    assertEquals(tiny.mmu.pool.isUnsync(tiny.shadowOf(LEVEL_1)), !clear);
    assertEquals(tiny.mmu.stats.mmu_unsync, clear ? 0 : 1);
  }
});

Deno.test("syncSomeChildren() protects the tables below again, and from 5.15 on flushes all if a mapping went", () => {
  for (const [shadowRules, all] of [[SHADOW_RULES_4_10, 0], [SHADOW_RULES_6_1, 1]] as const) {
    const tiny = guest({ shadowRules });
    tiny.guestMaps(512, 0x42);
    tiny.touch(512);
    tiny.locked(() => needWriteProtect(tiny.mmu, 0, OTHER_LEVEL_1, true, false));
    tiny.guestMaps(1, 0x41);
    tiny.touch(1);
    tiny.flushes();
    tiny.guestMaps(0, 0);
    tiny.locked(() => assertEquals(syncSomeChildren(tiny.mmu, tiny.vcpu, tiny.vcpu.root), false));
    assertEquals(tiny.mmu.stats.mmu_unsync, 0);
    assertEquals(tiny.spte(0), 0);
    assertEquals(tiny.flushes().all, all);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("syncRoots() forgets the page in the MMIO cache", () => {
  for (const shadowRules of [SHADOW_RULES_3_11, SHADOW_RULES_6_1]) {
    const tiny = guest({ shadowRules });
    tiny.vcpu.cache.gva = 0x5000;
    tiny.run(syncRoots(tiny.mmu, tiny.vcpu));
    assertEquals(tiny.vcpu.cache.gva, 0);
    assertEquals(tiny.mmu.stats.mmu_unsync, 0);
  }
});
