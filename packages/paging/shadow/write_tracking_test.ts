import { assertEquals } from "@std/assert";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "../fault/pferr.ts";
import { LEVEL_1, LEVEL_2, LEVEL_4, TinyShadow } from "../testdata/tiny_shadow.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_4_10 } from "./shadow_rules.ts";
import { clearFloods, writesUpperTable } from "./write_tracking.ts";

const WRITE = PFERR_WRITE | PFERR_PRESENT;

Deno.test("writesUpperTable() tells writes to present tables above level 1, from 4.7 on", () => {
  for (const shadowRules of [SHADOW_RULES_3_11, SHADOW_RULES_4_10]) {
    const tiny = new TinyShadow({ shadowRules });
    tiny.guestMaps(0, 0x40);
    tiny.touch(0);
    const tells = (gfn: number, code: number) => writesUpperTable(tiny.mmu, tiny.vcpu, gfn, code);
    assertEquals(tells(LEVEL_2, WRITE), shadowRules === SHADOW_RULES_4_10);
    assertEquals(tells(LEVEL_1, WRITE), false);
    assertEquals(tells(0x40, WRITE), false);
    for (const code of [PFERR_WRITE, PFERR_PRESENT, WRITE | PFERR_RSVD]) assertEquals(tells(LEVEL_2, code), false);
  }
});

Deno.test("4.10 has a write to an upper table emulated at once, and the tables on the way count as used", () => {
  const tiny = new TinyShadow({ shadowRules: SHADOW_RULES_4_10 });
  tiny.guestMaps(0, LEVEL_2);
  const { floods } = tiny.mmu.shadow;
  tiny.touch(0);
  for (const table of [LEVEL_1, LEVEL_4]) floods.set(tiny.shadowOf(table), 2);
  const mapped = tiny.spte(0);
  assertEquals(tiny.touch(0, WRITE), 1);
  assertEquals([tiny.spte(0), floods.size], [mapped, 0]);
});

Deno.test("clearFloods() goes as far as tables are linked", () => {
  const tiny = new TinyShadow({ shadowRules: SHADOW_RULES_4_10 });
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  const { floods } = tiny.mmu.shadow;
  for (const table of [LEVEL_1, LEVEL_2]) floods.set(tiny.shadowOf(table), 1);
  clearFloods(tiny.mmu, tiny.vcpu, 512 * 7);
  assertEquals([...floods.keys()], [tiny.shadowOf(LEVEL_1)]);
});
