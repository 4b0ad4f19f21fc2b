import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, TinyShadow } from "../testdata/tiny_shadow.ts";
import { invalidatePage } from "./invlpg.ts";
import { injectPageFault } from "./inject_page_fault.ts";
import { contextOf } from "./context_of.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10, SHADOW_RULES_6_12, type ShadowRules } from "./shadow_rules.ts";
import { needWriteProtect } from "./unsync.ts";

const PRESENT_WRITE = 3;

/** A guest with page 0 mapped, whose table of level 1 may be out of date if told. */
function guest(unsync: boolean, shadowRules: ShadowRules = SHADOW_RULES_3_11): TinyShadow {
  const tiny = new TinyShadow({ shadowRules });
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  if (unsync) tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
  tiny.flushes();
  return tiny;
}

Deno.test("invalidatePage() maps what the guest's entry says now; 6.12 leaves that to the next fault", () => {
  for (const [rules, frame] of [[SHADOW_RULES_3_11, FRAME + 0x41], [SHADOW_RULES_6_12, 0]] as const) {
    const tiny = guest(true, rules);
    tiny.guestMaps(0, 0x41);
    tiny.run(invalidatePage(tiny.mmu, tiny.vcpu, 0));
    assertEquals(tiny.spte(0) >>> 12, frame);
    assertEquals(tiny.flushes(), { own: true, all: 1 });
    assertEquals(tiny.mmu.stats.invlpg, 1);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("invalidatePage() leaves an entry alone that is up to date, for the guest cannot have changed it unseen", () => {
  const tiny = guest(false);
  const before = tiny.spte(0);
  tiny.run(invalidatePage(tiny.mmu, tiny.vcpu, 0));
  assertEquals(tiny.spte(0), before);
  assertEquals(tiny.flushes(), { own: true, all: 0 });
});

Deno.test("invalidatePage() forgets the page in the MMIO cache, and no other", () => {
  const tiny = guest(false);
  for (const [gva, left] of [[0x5000, 0], [0x6000, 0x6000]]) {
    tiny.vcpu.cache.gva = gva;
    tiny.run(invalidatePage(tiny.mmu, tiny.vcpu, 0x5123));
    assertEquals(tiny.vcpu.cache.gva, left);
  }
});

Deno.test("injectPageFault() drops what is mapped where a present entry does not allow the access, from 5.8 on", () => {
  const rules: readonly [ShadowRules, boolean, boolean][] = [
    [SHADOW_RULES_4_10, true, false],
    [SHADOW_RULES_6_12, true, true],
    [SHADOW_RULES_6_12, false, false],
  ];
  for (const [shadowRules, present, drops] of rules) {
    const tiny = guest(true, shadowRules);
    tiny.guestMaps(0, 0);
    const { fault } = contextOf(tiny.vcpu).walker;
    fault.errorCode = present ? PRESENT_WRITE : 2;
    fault.addressLo = fault.addressHi = 0;
    tiny.run(injectPageFault(tiny.mmu, tiny.vcpu));
    assertEquals(tiny.spte(0) === 0, drops);
    assertEquals(contextOf(tiny.vcpu).faultPending, true);
    assertEquals(tiny.mmu.stats.pf_guest, 1);
  }
});
