import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { LEVEL_1, LEVEL_2, LEVEL_3, LEVEL_4, OTHER_LEVEL_1, TinyShadow } from "../testdata/tiny_shadow.ts";
import { prepareZap } from "../pages/zap.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10, SHADOW_RULES_6_1 } from "./shadow_rules.ts";
import { isValidIndirect, needWriteProtect, unlinkUnsyncPage, unsyncPagesBelow } from "./unsync.ts";

/** A guest whose pages 0 and 512 are mapped, each below a table of its own. */
function guest(options: ConstructorParameters<typeof TinyShadow>[0] = {}): TinyShadow {
  const tiny = new TinyShadow(options);
  for (const page of [0, 512]) {
    tiny.guestMaps(page, 0x40);
    tiny.touch(page);
  }
  return tiny;
}

function needs(tiny: TinyShadow, gfn: number, canUnsync: boolean, prefetch: boolean): boolean {
  let result = false;
  tiny.locked(() => result = needWriteProtect(tiny.mmu, 0, gfn, canUnsync, prefetch));
  return result;
}

Deno.test("needWriteProtect() marks the pages of a table of level 1, and those above know", () => {
  const tiny = guest();
  const { mmu } = tiny;
  assertEquals(needs(tiny, LEVEL_1, true, false), false);
  assert(mmu.pool.isUnsync(tiny.shadowOf(LEVEL_1)));
  assertEquals(mmu.stats.mmu_unsync, 1);
  for (const table of [LEVEL_2, LEVEL_3, LEVEL_4]) {
    assertEquals([...mmu.shadow.unsyncChildren.get(tiny.shadowOf(table))!], [0]);
  }
  // It is out of date already: there is nothing to mark.
  assertEquals(needs(tiny, LEVEL_1, true, false), false);
  assertEquals(mmu.stats.mmu_unsync, 1);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("needWriteProtect() keeps tables above level 1 protected, and all where pages may not be marked", () => {
  for (const shadowRules of [SHADOW_RULES_3_11, SHADOW_RULES_4_10]) {
    const tiny = guest({ shadowRules });
    assertEquals(needs(tiny, LEVEL_2, true, false), true);
    assertEquals(needs(tiny, LEVEL_1, false, false), true);
    assertEquals(needs(tiny, 0x40, false, false), false);
    assertEquals(tiny.mmu.stats.mmu_unsync, 0);
  }
});

Deno.test("needWriteProtect() marks pages for a prefetch to 5.14, and later leaves the mapping without write access", () => {
  for (const [shadowRules, unsync] of [[SHADOW_RULES_4_10, 1], [SHADOW_RULES_6_1, 0]] as const) {
    const tiny = guest({ shadowRules });
    assertEquals(needs(tiny, LEVEL_1, true, true), unsync === 0);
    assertEquals(tiny.mmu.stats.mmu_unsync, unsync);
  }
});

Deno.test("isValidIndirect() counts an obsolete page until it is zapped, and from 4.7 on no more", () => {
  for (const [shadowRules, counts] of [[SHADOW_RULES_3_11, true], [SHADOW_RULES_4_10, false]] as const) {
    const tiny = guest({ shadowRules });
    const page = tiny.shadowOf(LEVEL_1);
    assert(isValidIndirect(tiny.mmu, page, LEVEL_1));
    assert(!isValidIndirect(tiny.mmu, page, LEVEL_2));
    tiny.mmu.validGen++;
    assertEquals(isValidIndirect(tiny.mmu, page, LEVEL_1), counts);
    tiny.locked(() => prepareZap(tiny.mmu, page));
    assert(!isValidIndirect(tiny.mmu, page, LEVEL_1));
  }
});

Deno.test("unsyncPagesBelow() collects in the order of entries, and forgets what is up to date again", () => {
  const tiny = guest();
  const { mmu } = tiny;
  const root = tiny.shadowOf(LEVEL_4);
  needs(tiny, OTHER_LEVEL_1, true, false);
  needs(tiny, LEVEL_1, true, false);
  const [first, second] = [tiny.shadowOf(LEVEL_1), tiny.shadowOf(OTHER_LEVEL_1)];
  assertEquals(unsyncPagesBelow(mmu, root), [first, second]);
  unlinkUnsyncPage(mmu, first);
  assertEquals([...mmu.shadow.unsyncChildren.get(tiny.shadowOf(LEVEL_2))!].sort(), [0, 1]);
  assertEquals(unsyncPagesBelow(mmu, root), [second]);
  assertEquals([...mmu.shadow.unsyncChildren.get(tiny.shadowOf(LEVEL_2))!], [1]);
  unlinkUnsyncPage(mmu, second);
  assertEquals(unsyncPagesBelow(mmu, root), []);
  assertEquals(mmu.shadow.unsyncChildren.size, 0);
});
