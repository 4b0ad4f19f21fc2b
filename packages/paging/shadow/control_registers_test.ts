import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PAGING_32BIT, PAGING_PAE } from "../guest/format.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { prepareEntry } from "../root.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_1, TinyShadow, USED } from "../testdata/tiny_shadow.ts";
import { contextOf } from "./context_of.ts";
import { changePaging, loadCr3 } from "./control_registers.ts";
import { SHADOW_RULES_3_11, SHADOW_RULES_3_13 } from "./shadow_rules.ts";
import { needWriteProtect } from "./unsync.ts";

const CR3 = 0x1000;
/** A CR3 in a frame beyond the guest's memory. */
const NOWHERE = 0x200_0000_0000;

function load(tiny: TinyShadow, cr3: number): boolean {
  return tiny.run(loadCr3(tiny.mmu, tiny.vcpu, cr3));
}

Deno.test("loadCr3() of another table drops the root, and the next entry takes one for it", () => {
  const tiny = new TinyShadow();
  tiny.tables.write8(0x20, 0, 2 * 4096 + USED, 0);
  assert(load(tiny, 0x20000));
  assertEquals(tiny.vcpu.root, NO_PAGE);
  assertEquals(contextOf(tiny.vcpu).walk.rootLo, 0x20000);
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.mmu.pool.gfn[tiny.vcpu.root], 0x20);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("loadCr3() of the same table, to 4.18, keeps the root, brings it up to date and flushes the TLB", () => {
  const tiny = new TinyShadow();
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  tiny.locked(() => needWriteProtect(tiny.mmu, 0, LEVEL_1, true, false));
  tiny.guestMaps(0, 0x41);
  const { root } = tiny.vcpu;
  tiny.flushes();
  assert(load(tiny, CR3));
  assertEquals(tiny.vcpu.root, root);
  // What led elsewhere went with the sync; the next fault maps it anew.
  assertEquals(tiny.mmu.isPresent(tiny.spte(0), 0), false);
  assert(tiny.flushes().own);
  tiny.touch(0);
  assertEquals(tiny.spte(0) >>> 12, FRAME + 0x41);
});

Deno.test("loadCr3() refuses a table without memory in 3.11, and from 3.13 on loads it", () => {
  for (const [shadowRules, loaded] of [[SHADOW_RULES_3_11, false], [SHADOW_RULES_3_13, true]] as const) {
    const tiny = new TinyShadow({ shadowRules });
    assertEquals(load(tiny, NOWHERE), loaded);
    const { rootLo, rootHi } = contextOf(tiny.vcpu).walk;
    assertEquals([rootLo, rootHi], loaded ? [0, 0x200] : [CR3, 0]);
  }
});

Deno.test("loadCr3() in PAE mode reads the PDPTRs, refuses reserved bits in them, and takes new roots if they changed", () => {
  const tiny = new TinyShadow();
  tiny.run(changePaging(tiny.mmu, tiny.vcpu, { format: PAGING_PAE, maxphyaddr: 40, cr0Wp: true }));
  tiny.tables.write8(0x20, 0, 0x21001, 0);
  assert(load(tiny, 0x20000));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  const { paeRoots } = contextOf(tiny.vcpu);
  assertEquals([...paeRoots].map((root) => root === NO_PAGE ? 0 : tiny.mmu.pool.gfn[root]), [0x21, 0, 0, 0]);
  // The same again: nothing to do.
  assert(load(tiny, 0x20000));
  assert(paeRoots[0] !== NO_PAGE);
  // PDPTE 1 is there now, although CR3 is what it was.
  tiny.tables.write8(0x20, 1, 0x22001, 0);
  assert(load(tiny, 0x20000));
  assertEquals(tiny.vcpu.root, NO_PAGE);
  // Bits 1, 2 and 8:5 are reserved.
  tiny.tables.write8(0x20, 1, 0x22003, 0);
  assertEquals(load(tiny, 0x20000), false);
});

Deno.test("changePaging() drops the root, and the tables are read in the new way from then on", () => {
  const tiny = new TinyShadow();
  const paging = { format: PAGING_32BIT, maxphyaddr: 40, cr0Wp: true, cr4Pse: true };
  tiny.run(changePaging(tiny.mmu, tiny.vcpu, paging));
  assertEquals(tiny.vcpu.root, NO_PAGE);
  assertEquals(contextOf(tiny.vcpu).paging, paging);
  assertEquals(contextOf(tiny.vcpu).isLongMode, false);
});
