import { assertEquals, assertThrows } from "@std/assert";
import { EPT_4_LEVEL, PAGING_32BIT, PAGING_4_LEVEL, PAGING_PAE } from "./format.ts";
import { GuestRole } from "./guest_role.ts";
import { WALK_RULES_3_11, WALK_RULES_6_1 } from "./walk_rules.ts";

Deno.test("GuestRole says where bit 7 maps a page", () => {
  const largest = (state: Parameters<typeof GuestRole.ofPaging>[0]) =>
    GuestRole.ofPaging(state, WALK_RULES_6_1).largestPage;
  assertEquals(largest({ format: PAGING_32BIT, maxphyaddr: 40 }), 1);
  assertEquals(largest({ format: PAGING_32BIT, maxphyaddr: 40, cr4Pse: true }), 2);
  assertEquals(largest({ format: PAGING_PAE, maxphyaddr: 40 }), 3);
  assertEquals(largest({ format: PAGING_4_LEVEL, maxphyaddr: 40 }), 3);
});

Deno.test("GuestRole reports a fetch with SMEP or NX; 6.1 also with EFER.NX and 32-bit tables", () => {
  const reports = (
    rules: typeof WALK_RULES_6_1,
    state: { eferNx?: boolean; cr4Smep?: boolean },
    format = PAGING_32BIT,
  ) => GuestRole.ofPaging({ format, maxphyaddr: 40, ...state }, rules).reportsFetch;
  assertEquals(reports(WALK_RULES_3_11, {}), false);
  assertEquals(reports(WALK_RULES_3_11, { eferNx: true }), false);
  assertEquals(reports(WALK_RULES_6_1, { eferNx: true }), true);
  assertEquals(reports(WALK_RULES_3_11, { eferNx: true }, PAGING_PAE), true);
  assertEquals(reports(WALK_RULES_3_11, { cr4Smep: true }), true);
});

Deno.test("GuestRole keeps accessed and dirty bits of EPT only if told", () => {
  const of = (accessedDirty: boolean) =>
    GuestRole.ofEpt({ format: EPT_4_LEVEL, maxphyaddr: 46, accessedDirty }, WALK_RULES_6_1);
  assertEquals([of(false).accessed, of(false).dirty], [0, 0]);
  assertEquals([of(true).accessed, of(true).dirty], [0x100, 0x200]);
});

Deno.test("GuestRole refuses the wrong kind of format and an impossible MAXPHYADDR", () => {
  const state = { format: PAGING_4_LEVEL, maxphyaddr: 46 };
  assertThrows(
    () => GuestRole.ofEpt(state, WALK_RULES_6_1),
    RangeError,
    "Cannot use format 4-level here: it is not EPT",
  );
  const ept = { ...state, format: EPT_4_LEVEL };
  assertThrows(() => GuestRole.ofPaging(ept, WALK_RULES_6_1), RangeError, "it is EPT");
  for (const maxphyaddr of [31, 53, 40.5]) {
    assertThrows(() => GuestRole.ofPaging({ ...state, maxphyaddr }, WALK_RULES_6_1), RangeError, "expected 32 to 52");
  }
});
