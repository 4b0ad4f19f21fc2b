import { assert, assertEquals, assertThrows } from "@std/assert";
import { auditBooks } from "../books.ts";
import { FlatTables } from "../guest/flat_tables.ts";
import { PAGING_OFF } from "../guest/format.ts";
import { WALK_RULES_4_10 } from "../guest/walk_rules.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { prepareEntry } from "../root.ts";
import { ShadowContext } from "../shadow/shadow_context.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { NESTED_RULES_4_10, NESTED_RULES_5_13, type NestedRules } from "./nested_rules.ts";
import { NestedState } from "./nested_state.ts";
import { dropKeptRoots, enterL2, invept, leaveL2 } from "./switch_level.ts";

const PAGING = { levels: 0, entryGpa: () => 0, translate: (gva: number) => gva };

/** A vCPU of L1 that may run L2, with all memory that L1 needs for its EPT. */
function l1(rules: NestedRules): TinyMmu {
  const tiny = new TinyMmu();
  tiny.slot();
  const { counters, trace, shadowRules } = tiny.mmu;
  const context = new ShadowContext({
    paging: { format: PAGING_OFF, maxphyaddr: 40 },
    rules: WALK_RULES_4_10,
    tables: new FlatTables(16),
    counters,
    trace,
    vcpu: 0,
    shadowRules,
  });
  tiny.vcpu.nested = new NestedState(rules, context, PAGING);
  return tiny;
}

/** L1 enters L2, which runs. */
function enter(tiny: TinyMmu, gfn: number): number {
  tiny.run(enterL2(tiny.mmu, tiny.vcpu, gfn * 4096 + 0x1e));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.mmu.pool.gfn[tiny.vcpu.root], gfn);
  return tiny.vcpu.root;
}

/** Frames of the EPTs whose roots are kept, the one used last first. */
function kept(tiny: TinyMmu): number[] {
  return tiny.vcpu.nested!.kept.map(({ root }) => tiny.mmu.pool.gfn[root]);
}

Deno.test("enterL2() and leaveL2() drop the root each time, to 4.19", () => {
  const tiny = l1(NESTED_RULES_4_10);
  const { pool } = tiny.mmu;
  const rootOfL1 = tiny.vcpu.root;
  const rootOfL2 = enter(tiny, 1);
  assertEquals([tiny.vcpu.inL2, pool.rootCount[rootOfL1], pool.rootCount[rootOfL2]], [true, 0, 1]);
  tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  assertEquals([tiny.vcpu.inL2, tiny.vcpu.root, pool.rootCount[rootOfL2]], [false, NO_PAGE, 0]);
  assertEquals(kept(tiny), []);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("from 5.0 on a vCPU keeps L1's root, and those of four EPTs, the one used last first", () => {
  const tiny = l1(NESTED_RULES_5_13);
  const { pool } = tiny.mmu;
  const rootOfL1 = tiny.vcpu.root;
  const first = enter(tiny, 1);
  tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.root, rootOfL1);
  for (const gfn of [2, 3, 4]) {
    enter(tiny, gfn);
    tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  }
  assertEquals(kept(tiny), [4, 3, 2, 1]);
  assertEquals(enter(tiny, 1), first);
  tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  assertEquals(kept(tiny), [1, 4, 3, 2]);
  const last = tiny.vcpu.nested!.kept[3].root;
  enter(tiny, 5);
  tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  assertEquals(kept(tiny), [5, 1, 4, 3]);
  assertEquals(pool.rootCount[last], 0);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("invept() gives back the roots of one EPT, or of all, and flushes", () => {
  const tiny = l1(NESTED_RULES_5_13);
  for (const gfn of [1, 2, 3]) {
    enter(tiny, gfn);
    tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  }
  tiny.vcpu.flushRequested = false;
  tiny.run(invept(tiny.mmu, tiny.vcpu, 0x201e));
  assertEquals(kept(tiny), [3, 1]);
  assert(tiny.vcpu.flushRequested);
  tiny.run(invept(tiny.mmu, tiny.vcpu));
  assertEquals(kept(tiny), []);
});

Deno.test("dropKeptRoots() gives back L1's root too while L2 runs", () => {
  const tiny = l1(NESTED_RULES_5_13);
  const rootOfL1 = tiny.vcpu.root;
  enter(tiny, 1);
  tiny.run(dropKeptRoots(tiny.mmu, tiny.vcpu.nested!));
  assertEquals(tiny.mmu.pool.rootCount[rootOfL1], 0);
  tiny.run(leaveL2(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.root, NO_PAGE);
});

Deno.test("an EPTP that L1 may not have fails the VM entry, and nothing changes", () => {
  const bad: readonly [NestedRules, number][] = [
    [NESTED_RULES_4_10, 0x105e],
    [NESTED_RULES_4_10, 0x1018],
    [NESTED_RULES_5_13, 0x1016],
    [NESTED_RULES_5_13, 2 ** 40 + 0x1e],
  ];
  for (const [rules, eptp] of bad) {
    const tiny = l1(rules);
    assertThrows(() => tiny.run(enterL2(tiny.mmu, tiny.vcpu, eptp)), RangeError, `EPTP 0x${eptp.toString(16)}`);
    assert(!tiny.vcpu.inL2 && tiny.vcpu.root !== NO_PAGE);
  }
  const tiny = l1(NESTED_RULES_5_13);
  tiny.run(enterL2(tiny.mmu, tiny.vcpu, 0x105e));
  assert(tiny.vcpu.inL2);
});

Deno.test("a vCPU enters L2 from L1, leaves it from L2, and flushes EPT in L1 alone", () => {
  const tiny = l1(NESTED_RULES_5_13);
  assertThrows(() => tiny.run(leaveL2(tiny.mmu, tiny.vcpu)), Error, "runs L1");
  enter(tiny, 1);
  assertThrows(() => tiny.run(enterL2(tiny.mmu, tiny.vcpu, 0x201e)), Error, "runs it already");
  assertThrows(() => tiny.run(invept(tiny.mmu, tiny.vcpu)), Error, "which may not");
  const other = new TinyMmu();
  assertThrows(() => other.run(enterL2(other.mmu, other.vcpu, 0x101e)), Error, "no nested paging");
});
