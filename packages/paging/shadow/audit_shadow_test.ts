import { assert, assertEquals } from "@std/assert";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { LEVEL_1, LEVEL_2, TinyShadow } from "../testdata/tiny_shadow.ts";
import { auditShadow } from "./audit_shadow.ts";
import { rmapKey, tableKey } from "./shadow_books.ts";
import { needWriteProtect } from "./unsync.ts";

/** A guest with page 0 mapped to frame 0x40, and its table of level 1 out of date if told. */
function guest(unsync = false): TinyShadow {
  const tiny = new TinyShadow();
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  if (unsync) tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
  return tiny;
}

const RMAP_KEY = rmapKey(0x40, 1);

const WRONG: Readonly<Record<string, [unsync: boolean, change: (tiny: TinyShadow) => void, finding: RegExp]>> = {
  "a mapping that the reverse map does not know": [
    false,
    ({ mmu }) => mmu.shadow.rmap.set(RMAP_KEY, [7]),
    /^Page \d+, entry 0 maps gfn 0x40, which the reverse map does not know$/,
  ],
  "an empty list in the reverse map": [
    false,
    ({ mmu }) => mmu.shadow.rmap.set(rmapKey(0x99, 1), []),
    /^The reverse map keeps an empty list/,
  ],
  "an entry that the reverse map has twice": [
    false,
    ({ mmu }) => mmu.shadow.rmap.get(RMAP_KEY)!.push(...mmu.shadow.rmap.get(RMAP_KEY)!),
    /^The reverse map has an entry twice/,
  ],
  "more in the reverse map than is mapped": [
    false,
    ({ mmu }) => mmu.shadow.rmap.set(rmapKey(0x99, 1), [7]),
    /^The reverse map has 2 entries, and 1 map memory$/,
  ],
  "a table that the guest may write unnoticed": [
    false,
    (tiny) => {
      const { mmu } = tiny;
      const page = tiny.shadowOf(LEVEL_1);
      mmu.shadow.setTranslation(page, 0, LEVEL_2, 7);
      mmu.shadow.rmap.set(rmapKey(LEVEL_2, 1), mmu.shadow.rmap.get(RMAP_KEY)!);
      mmu.shadow.rmap.delete(RMAP_KEY);
      mmu.setSpte(page, 0, mmu.pool.lo(page, 0) | SPTE_WRITABLE, mmu.pool.hi(page, 0));
    },
    /^Page \d+ shadows the table at gfn 0x3, which page \d+, entry 0, lets the guest write$/,
  ],
  "a count of indirect pages that is off": [
    false,
    ({ mmu }) => mmu.shadow.indirectPages++,
    /^5 pages are counted to shadow tables, and 4 do$/,
  ],
  "a large frame that counts a table too many": [
    false,
    ({ mmu }) => mmu.shadow.shadowed.set(tableKey(LEVEL_1, 2, 0), 9),
    /counts 9 shadowed tables, and has 4$/,
  ],
  "a table whose writes nobody tracks": [
    false,
    ({ mmu }) => mmu.shadow.tracked.delete(tableKey(LEVEL_2, 1, 0)),
    /counts undefined tables above level 1, and has 1$/,
  ],
  "a page above that does not know of one out of date": [
    true,
    (tiny) => tiny.mmu.shadow.unsyncChildren.delete(tiny.shadowOf(LEVEL_2)),
    /^Page \d+ does not know that page \d+ below it may be out of date$/,
  ],
  "a count of pages out of date that is off": [
    true,
    ({ mmu }) => mmu.stats.mmu_unsync++,
    /^2 pages are counted as out of date, and 1 are$/,
  ],
  "what is kept of a free page": [
    false,
    ({ mmu }) => mmu.shadow.floods.set(mmu.pool.length + 3, 1),
    /is free, and something is kept of its children or writes$/,
  ],
};

Deno.test("auditShadow() finds nothing where a fault was handled, or a table is out of date", () => {
  assertEquals(auditShadow(guest().mmu), []);
  assertEquals(auditShadow(guest(true).mmu), []);
});

for (const [what, [unsync, change, finding]] of Object.entries(WRONG)) {
  Deno.test(`auditShadow() finds ${what}`, () => {
    const tiny = guest(unsync);
    change(tiny);
    const findings = auditShadow(tiny.mmu);
    assert(findings.some((text) => finding.test(text)), findings.join("; "));
  });
}
