import { assertEquals } from "@std/assert";
import { PAGE_RULES_3_11, PAGE_RULES_4_10, PAGE_RULES_4_19, type PageRules } from "./page_rules.ts";
import { updateSpte } from "./set_leaf.ts";
import { SPTE_WRITABLE } from "./spte_bits.ts";
import { BITS, TinyMmu } from "./testdata/tiny_mmu.ts";
import { walkShadow } from "./shadow_walk.ts";

/** Whether TLBs are flushed when bits of a mapping are cleared, and when they are set again. */
function flushes(pageRules: PageRules, bits: number): [cleared: boolean, set: boolean] {
  const tiny = new TinyMmu({ pageRules });
  tiny.slot();
  tiny.fault(5);
  walkShadow(tiny.mmu, tiny.vcpu, 5);
  const { page, index, hi } = tiny.vcpu.walk;
  const lo = tiny.vcpu.walk.lo | SPTE_WRITABLE | BITS.accessed | BITS.dirty;
  tiny.mmu.setSpte(page, index, lo, hi);
  const change = (to: number) => {
    tiny.vcpu.flushRequested = false;
    updateSpte(tiny.mmu, page, index, to, hi);
    return tiny.vcpu.flushRequested;
  };
  return [change(lo & ~bits), change(lo)];
}

Deno.test("updateSpte() flushes for what was lost, and in 4.10 for accessed and dirty bits that come too", () => {
  for (const rules of [PAGE_RULES_3_11, PAGE_RULES_4_10, PAGE_RULES_4_19]) {
    assertEquals(flushes(rules, SPTE_WRITABLE), [true, false]);
  }
  assertEquals(flushes(PAGE_RULES_3_11, BITS.dirty), [false, false]);
  assertEquals(flushes(PAGE_RULES_4_10, BITS.dirty), [true, true]);
  assertEquals(flushes(PAGE_RULES_4_19, BITS.accessed), [true, false]);
});
