import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, READ_ONLY, TinyShadow } from "../testdata/tiny_shadow.ts";
import { contextOf } from "./context_of.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10 } from "./shadow_rules.ts";

/** A frame of the guest without memory. */
const DEVICE = 0x300;
const [RUN_ON, EMULATE] = [0, 1];

Deno.test("shadowPageFault() maps memory, and lets the guest run on", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(3, 0x40);
  assertEquals(tiny.touch(3), RUN_ON);
  assertEquals(tiny.spte(3) >>> 12, FRAME + 0x40);
  assertEquals(tiny.mmu.stats.pf_fixed, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("shadowPageFault() writes an MMIO spte where there is no memory, and the cache knows the linear address", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(3, DEVICE);
  assertEquals(tiny.touch(3), EMULATE);
  const page = tiny.shadowOf(LEVEL_1);
  const { pool, layout } = tiny.mmu;
  assert(layout.isMmio(pool.lo(page, 3), pool.hi(page, 3)));
  assertEquals(layout.gfnOf(pool.lo(page, 3), pool.hi(page, 3)), DEVICE);
  const { gva, gfn } = tiny.vcpu.cache;
  assertEquals([gva, gfn], [0x3000, DEVICE]);
});

Deno.test("shadowPageFault() answers a reserved bit from the MMIO spte while it is current, and else goes the long way", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(3, DEVICE);
  tiny.touch(3);
  const { gva } = tiny.vcpu.cache;
  assertEquals(gva, 0x3000);
  tiny.vcpu.cache.gva = 0;
  const { stats } = tiny.mmu;
  assertEquals(tiny.touch(3, PFERR_RSVD | PFERR_PRESENT), EMULATE);
  assertEquals(stats.pf_fixed, 1, "nothing was walked");
  tiny.bump();
  tiny.vcpu.cache.gva = 0;
  assertEquals(tiny.touch(3, PFERR_RSVD | PFERR_PRESENT), EMULATE);
  assertEquals(stats.pf_fixed, 2, "stamped anew");
});

Deno.test("shadowPageFault() lets the guest have a fault that its own tables are the cause of", () => {
  const tiny = new TinyShadow();
  assertEquals(tiny.touch(3), RUN_ON);
  const { faultPending, walker } = contextOf(tiny.vcpu);
  assert(faultPending);
  assertEquals([walker.fault.errorCode, walker.fault.addressLo], [0, 0x3000]);
  const readOnly = new TinyShadow();
  readOnly.guestMaps(3, 0x40, READ_ONLY);
  assertEquals(readOnly.touch(3, PFERR_WRITE), RUN_ON);
  assertEquals(contextOf(readOnly.vcpu).walker.fault.errorCode, PFERR_PRESENT | PFERR_WRITE);
  assertEquals(readOnly.mmu.stats.pf_guest, 1);
});

Deno.test("shadowPageFault() emulates a write to a shadowed table above level 1 at once from 4.6 on, and maps it before", () => {
  for (const [shadowRules, mapped] of [[SHADOW_RULES_3_11, true], [SHADOW_RULES_4_10, false]] as const) {
    const tiny = new TinyShadow({ shadowRules });
    // Linear page 3 is the guest's own table of level 2.
    tiny.guestMaps(3, 3);
    tiny.guestMaps(4, 0x40);
    tiny.touch(4);
    assertEquals(tiny.touch(3, PFERR_PRESENT | PFERR_WRITE), EMULATE);
    const lo = tiny.spte(3);
    assertEquals([tiny.mmu.isPresent(lo, 0), lo & SPTE_WRITABLE], [mapped, 0]);
  }
});

Deno.test("shadowPageFault() lets the supervisor write what is read-only while CR0.WP is clear, and the user no more", () => {
  const tiny = new TinyShadow();
  const context = contextOf(tiny.vcpu);
  context.paging = { ...context.paging, cr0Wp: false };
  tiny.guestMaps(3, 0x40, READ_ONLY);
  assertEquals(tiny.touch(3, PFERR_PRESENT | PFERR_WRITE), RUN_ON);
  const page = tiny.shadowOf(LEVEL_1);
  const lo = tiny.mmu.pool.lo(page, 3);
  // Writable, and not for the user, who may only read.
  assertEquals(lo & 6, SPTE_WRITABLE);
  tiny.touch(3, PFERR_PRESENT | PFERR_USER);
  assertEquals(tiny.mmu.pool.lo(page, 3) & 6, 4);
});
