import { assert, assertEquals, assertThrows } from "@std/assert";
import { auditBooks } from "../books.ts";
import { type GuestFormat, PAGING_32BIT, PAGING_OFF, PAGING_PAE } from "../guest/format.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { isDirect, levelOf, quadrantOf } from "../pages/role.ts";
import { freeRoot, prepareEntry } from "../root.ts";
import { LEVEL_4, TinyShadow } from "../testdata/tiny_shadow.ts";
import { contextOf } from "./context_of.ts";
import { changePaging, loadCr3 } from "./control_registers.ts";
import { beginShadowWalk, PAE_ROOTS } from "./shadow_roots.ts";

const GIB_PAGES = 512 * 512;

/** A guest with a format of its own, whose root table is in frame 0x20. */
function guest(format: GuestFormat): TinyShadow {
  const tiny = new TinyShadow();
  tiny.run(changePaging(tiny.mmu, tiny.vcpu, { format, maxphyaddr: 40, cr0Wp: true }));
  if (format.rootLevel === 3) { for (const i of [0, 2]) tiny.tables.write8(0x20, i, (0x30 + i) * 4096 + 1, 0); }
  assert(tiny.run(loadCr3(tiny.mmu, tiny.vcpu, 0x20000)));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  return tiny;
}

/** Frames of the four roots, or -1. */
function gfns(tiny: TinyShadow): number[] {
  return [...contextOf(tiny.vcpu).paeRoots].map((root) => root === NO_PAGE ? -1 : tiny.mmu.pool.gfn[root]);
}

Deno.test("allocateShadowRoots() takes one root for a guest in long mode", () => {
  const tiny = new TinyShadow();
  const { pool } = tiny.mmu;
  assertEquals(pool.gfn[tiny.vcpu.root], LEVEL_4);
  assertEquals(levelOf(pool.role[tiny.vcpu.root]), 4);
  assertEquals(pool.rootCount[tiny.vcpu.root], 1);
  // Another vCPU with the same CR3 shares it.
  assertEquals(tiny.addVcpu().root, tiny.vcpu.root);
  assertEquals(pool.rootCount[tiny.vcpu.root], 2);
});

Deno.test("allocateShadowRoots() takes a root of level 2 for each PDPTE that is present", () => {
  const tiny = guest(PAGING_PAE);
  assertEquals(tiny.vcpu.root, PAE_ROOTS);
  assertEquals(gfns(tiny), [0x30, -1, 0x32, -1]);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("allocateShadowRoots() shadows a 32-bit directory by its four quarters", () => {
  const tiny = guest(PAGING_32BIT);
  assertEquals(gfns(tiny), [0x20, 0x20, 0x20, 0x20]);
  const { role } = tiny.mmu.pool;
  assertEquals([...contextOf(tiny.vcpu).paeRoots].map((root) => quadrantOf(role[root])), [0, 1, 2, 3]);
});

Deno.test("allocateShadowRoots() maps the four GiB of a guest without paging directly", () => {
  const tiny = guest(PAGING_OFF);
  assertEquals(gfns(tiny), [0, GIB_PAGES, 2 * GIB_PAGES, 3 * GIB_PAGES]);
  assert([...contextOf(tiny.vcpu).paeRoots].every((root) => isDirect(tiny.mmu.pool.role[root])));
});

Deno.test("allocateShadowRoots() lets a guest shut down whose root table has no memory", () => {
  const tiny = new TinyShadow();
  tiny.run(freeRoot(tiny.mmu, tiny.vcpu));
  contextOf(tiny.vcpu).walk.rootLo = 0x7000_0000;
  assertThrows(
    () => tiny.run(prepareEntry(tiny.mmu, tiny.vcpu)),
    Error,
    "vCPU 0 shuts down: its root table at gfn 0x70000 has no memory",
  );
});

Deno.test("beginShadowWalk() begins at the root, at the root of the page's GiB, or nowhere", () => {
  const long = new TinyShadow();
  assertEquals(beginShadowWalk(long.vcpu, 5), { page: long.vcpu.root, level: 4 });
  const pae = guest(PAGING_PAE);
  const { paeRoots } = contextOf(pae.vcpu);
  assertEquals(beginShadowWalk(pae.vcpu, 2 * GIB_PAGES + 7), { page: paeRoots[2], level: 2 });
  assertEquals(beginShadowWalk(pae.vcpu, GIB_PAGES).level, 0);
  pae.run(freeRoot(pae.mmu, pae.vcpu));
  assertEquals(gfns(pae), [-1, -1, -1, -1]);
  assertEquals(beginShadowWalk(pae.vcpu, 0).level, 0);
  assertEquals(auditBooks(pae.mmu), []);
});
