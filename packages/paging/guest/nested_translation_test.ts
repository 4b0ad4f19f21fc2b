import { Work, WorkCounters } from "@mmu-lab/protocol";
import { NULL_SINK } from "@mmu-lab/tracing";
import { assert, assertEquals } from "@std/assert";
import { PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { A, ADDRESS, D, GuestWorld, PWU, ROOT } from "../testdata/guest_world.ts";
import { FlatTables } from "./flat_tables.ts";
import { EPT_4_LEVEL, PAGING_4_LEVEL, PAGING_5_LEVEL, PAGING_OFF } from "./format.ts";
import { gvaToGpa } from "./gva_to_gpa.ts";
import { GuestRole } from "./guest_role.ts";
import { NestedTranslation } from "./nested_translation.ts";
import { WalkMmu } from "./walk_mmu.ts";
import { type GuestWalkRules, WALK_RULES_3_11, WALK_RULES_6_1 } from "./walk_rules.ts";

/** Frames below this are translated to themselves by the outer tables, which begin at {@linkcode OUTER}. */
const MAPPED = 512;
const OUTER = 0x20;
const USED = PWU | A | D;

/** A guest whose tables go through those of its hypervisor: `levels` of them, EPT or its own format. */
function twoDimensions(levels: 4 | 5, rules: GuestWalkRules, format = PAGING_4_LEVEL): {
  world: GuestWorld;
  outer: WalkMmu;
  memory: FlatTables;
} {
  const memory = new FlatTables(64);
  const counters = new WorkCounters();
  const role = GuestRole.ofPaging({ format: levels === 4 ? PAGING_4_LEVEL : PAGING_5_LEVEL, maxphyaddr: 46 }, rules);
  const outer = new WalkMmu({ role, tables: memory, counters, trace: NULL_SINK, vcpu: 0, faultsAreNested: true });
  outer.rootLo = OUTER << 12;
  for (let level = levels; level > 1; level--) {
    memory.write8(OUTER + levels - level, 0, ((OUTER + levels - level + 1) << 12) | 0x67, 0);
  }
  for (let gfn = 0; gfn < MAPPED; gfn++) memory.write8(OUTER + levels - 1, gfn, (gfn << 12) | 0x67, 0);
  const nested = new NestedTranslation(outer);
  return { world: new GuestWorld({ memory, nested, counters, rules, paging: { format } }), outer, memory };
}

Deno.test("a walk of 4 levels through 4 levels reads 24 entries, of 5 through 5 reads 35, of none through 4 reads 4", () => {
  const leaf = 0x123000n | USED;
  const { world } = twoDimensions(4, WALK_RULES_6_1);
  assertEquals(world.link(USED, USED, USED, leaf).outcome(PFERR_USER), "gfn 123 level 1 access 7");
  assertEquals(world.counters.counts[Work.gptesRead], 24);
  const five = twoDimensions(5, WALK_RULES_6_1, PAGING_5_LEVEL);
  five.world.link(USED, USED, USED, USED, leaf);
  assert(five.world.walk(PFERR_USER));
  assertEquals(five.world.counters.counts[Work.gptesRead], 35);
  const { world: off } = twoDimensions(4, WALK_RULES_6_1, PAGING_OFF);
  assertEquals(gvaToGpa(off.mmu, off.walker, 0x5123, 0, 0), 0x5123);
  assertEquals(off.counters.counts[Work.gptesRead], 4);
});

Deno.test("a second dimension translates tables and page, and the walk keeps the addresses before it", () => {
  const { world, memory } = twoDimensions(4, WALK_RULES_6_1);
  world.link(USED, USED, USED, 0x100000n | USED);
  // The hypervisor has put the guest's table of level 3 somewhere else, and the page too.
  const moved = ROOT + 1;
  memory.lanes.copyWithin(0x3e * 1024, moved * 1024, (moved + 1) * 1024);
  memory.lanes.fill(0, moved * 1024, (moved + 1) * 1024);
  memory.write8(OUTER + 3, moved, (0x3e << 12) | 0x67, 0);
  memory.write8(OUTER + 3, 0x100, 0x77777067, 1);
  assertEquals(world.outcome(PFERR_USER), "gfn 177777 level 1 access 7");
  assertEquals(world.walker.tableGfn(3), moved);
  const lo = Number(BigInt.asIntN(32, ADDRESS));
  const hi = Number(ADDRESS >> 32n);
  assertEquals(gvaToGpa(world.mmu, world.walker, lo, hi, 0), 0x177777234);
});

Deno.test("a fault of the second dimension is reported by 6.1 and lost by 3.11", () => {
  for (const rules of [WALK_RULES_6_1, WALK_RULES_3_11]) {
    const { world, memory } = twoDimensions(4, rules);
    world.link(USED, USED, USED, 0x100000n | USED);
    // The table of level 2 is read-only to the guest: its walk writes accessed bits.
    memory.write8(OUTER + 3, ROOT + 2, ((ROOT + 2) << 12) | 0x65, 0);
    const expected = rules === WALK_RULES_6_1 ? "page-fault 7" : "page-fault 0";
    assertEquals(world.outcome(0), expected, rules.name);
    const { fault } = world.walker;
    assertEquals(
      [fault.nested, fault.addressLo],
      rules === WALK_RULES_6_1 ? [true, (ROOT + 2) << 12] : [
        false,
        Number(BigInt.asIntN(32, ADDRESS)),
      ],
    );
    // The final address: 3.11 fails and says nothing of why, so that the fault is still the last one.
    memory.write8(OUTER + 3, ROOT + 2, ((ROOT + 2) << 12) | 0x67, 0);
    memory.write8(OUTER + 3, 0x100, 0, 0);
    assertEquals(world.outcome(PFERR_WRITE), rules === WALK_RULES_6_1 ? "page-fault 6" : expected, rules.name);
    assertEquals(fault.addressLo, rules === WALK_RULES_6_1 ? 0x100000 : Number(BigInt.asIntN(32, ADDRESS)));
  }
});

Deno.test("a fault of the second dimension with paging off is the same as with it", () => {
  const { world } = twoDimensions(4, WALK_RULES_6_1, PAGING_OFF);
  assertEquals(world.outcome(PFERR_WRITE), "page-fault 6");
});

Deno.test("a second dimension of EPT makes a violation", () => {
  const memory = new FlatTables(64);
  const counters = new WorkCounters();
  const role = GuestRole.ofEpt({ format: EPT_4_LEVEL, maxphyaddr: 46 }, WALK_RULES_6_1);
  const outer = new WalkMmu({ role, tables: memory, counters, trace: NULL_SINK, vcpu: 0, faultsAreNested: true });
  outer.rootLo = OUTER << 12;
  const world = new GuestWorld({ memory, counters, nested: new NestedTranslation(outer) });
  assertEquals(world.outcome(0), "ept-violation 3");
  assertEquals(world.walker.fault.nested, true);
});
