import { assert, assertEquals } from "@std/assert";
import { GuestWorld } from "../testdata/guest_world.ts";
import { PAGING_PAE } from "./format.ts";
import { loadPdptrs } from "./load_pdptrs.ts";
import { type GuestWalkRules, WALK_RULES_3_11, WALK_RULES_6_1 } from "./walk_rules.ts";

/** The table lies on a boundary of 32 bytes within its page. */
const CR3 = 0x5fe0;
const FIRST = 0xfe0 / 8;

function pae(rules: GuestWalkRules, ...entries: [lo: number, hi: number][]): GuestWorld {
  const world = new GuestWorld({ paging: { format: PAGING_PAE }, rules });
  entries.forEach(([lo, hi], n) => world.memory.write8(5, FIRST + n, lo, hi));
  return world;
}

Deno.test("loadPdptrs() loads four entries from bits 31:5 of CR3", () => {
  const world = pae(WALK_RULES_6_1, [0x1001, 0], [0, 0], [0x2001, 3], [0x3019, 0]);
  assert(loadPdptrs(world.mmu, CR3));
  assertEquals([...world.mmu.pdptrs], [0x1001, 0, 0, 0, 0x2001, 3, 0x3019, 0]);
  assertEquals(world.mmu.rootLo, CR3);
});

Deno.test("loadPdptrs() loads none if one that is present has a reserved bit", () => {
  const bad = pae(WALK_RULES_6_1, [0x1001, 0], [0x2003, 0]);
  assertEquals(loadPdptrs(bad.mmu, CR3), false);
  assertEquals([...bad.mmu.pdptrs], [0, 0, 0, 0, 0, 0, 0, 0]);
  assert(loadPdptrs(pae(WALK_RULES_6_1, [0x2, -1]).mmu, CR3));
});

Deno.test("loadPdptrs() of 3.11 does not look at bits 6:5", () => {
  assertEquals(loadPdptrs(pae(WALK_RULES_6_1, [0x1021, 0]).mmu, CR3), false);
  assertEquals(loadPdptrs(pae(WALK_RULES_3_11, [0x1021, 0]).mmu, CR3), true);
  assertEquals(loadPdptrs(pae(WALK_RULES_3_11, [0x1081, 0]).mmu, CR3), false);
});

Deno.test("loadPdptrs() fails where there is no memory, or no translation", () => {
  assertEquals(loadPdptrs(pae(WALK_RULES_6_1).mmu, 0x7fff_f000), false);
  const outer = pae(WALK_RULES_6_1);
  const nested = { fault: outer.walker.fault, translateGfn: (gfn: number) => gfn === 9 ? 5 : -1 };
  const world = new GuestWorld({ paging: { format: PAGING_PAE }, memory: outer.memory, nested });
  outer.memory.write8(5, 0, 0x1001, 0);
  assertEquals(loadPdptrs(world.mmu, 0x8000), false);
  assert(loadPdptrs(world.mmu, 0x9000));
  assertEquals(world.mmu.pdptrs[0], 0x1001);
});
