import { assertEquals } from "@std/assert";
import { lanesToBigInt } from "@mmu-lab/spte-encoding";
import {
  EPT_4_LEVEL,
  EPT_5_LEVEL,
  PAGING_32BIT,
  PAGING_4_LEVEL,
  PAGING_5_LEVEL,
  PAGING_OFF,
  PAGING_PAE,
} from "./format.ts";
import type { PagingState } from "./guest_role.ts";
import { badMemoryTypes, eptReservedBits, pse36Bits, type ReservedBits, reservedBits } from "./reserved_bits.ts";
import { type GuestWalkRules, WALK_RULES_3_11, WALK_RULES_6_1, WALK_RULES_ARCHITECTURE } from "./walk_rules.ts";

/** Masks from the highest level down, as hexadecimal text: those with bit 7 clear, those with bit 7 set. */
function masks({ low, high, pdpte }: ReservedBits, levels: number): [string[], string[]] {
  const of = (bit7: 0 | 8) =>
    Array.from({ length: levels }, (_, n) => {
      const mask = levels === 3 && n === 0
        ? lanesToBigInt(pdpte[0], pdpte[1])
        : lanesToBigInt(low[bit7 | (levels - n)], high);
      return mask.toString(16);
    });
  return [of(0), of(8)];
}

const NX_OFF = { maxphyaddr: 40, gigabytePages: true };
const NX_ON = { ...NX_OFF, eferNx: true };
const ROWS: [string, PagingState, GuestWalkRules, [string[], string[]]][] = [
  ["off", { format: PAGING_OFF, maxphyaddr: 40 }, WALK_RULES_6_1, [[], []]],
  ["32-bit without PSE", { format: PAGING_32BIT, ...NX_OFF }, WALK_RULES_3_11, [["0", "0"], ["0", "0"]]],
  ["PSE", { format: PAGING_32BIT, ...NX_OFF, cr4Pse: true }, WALK_RULES_6_1, [["0", "0"], ["3fe000", "0"]]],
  ["PSE-36", { format: PAGING_32BIT, ...NX_OFF, cr4Pse: true, pse36: true }, WALK_RULES_6_1, [["0", "0"], [
    "3e0000",
    "0",
  ]]],
  ["PSE-36 by the manual", { format: PAGING_32BIT, ...NX_OFF, cr4Pse: true, pse36: true }, WALK_RULES_ARCHITECTURE, [
    ["0", "0"],
    ["200000", "0"],
  ]],
  ["PAE of 3.11", { format: PAGING_PAE, ...NX_ON }, WALK_RULES_3_11, [
    ["ffffff0000000186", "7fffff0000000000", "7fffff0000000000"],
    ["ffffff0000000186", "7fffff00001fe000", "7fffff0000000000"],
  ]],
  ["PAE of 6.1", { format: PAGING_PAE, ...NX_OFF }, WALK_RULES_6_1, [
    ["ffffff00000001e6", "ffffff0000000000", "ffffff0000000000"],
    ["ffffff00000001e6", "ffffff00001fe000", "ffffff0000000000"],
  ]],
  ["long mode of 3.11", { format: PAGING_4_LEVEL, maxphyaddr: 40, eferNx: true }, WALK_RULES_3_11, [
    ["fff0000000180", "fff0000000100", "fff0000000000", "fff0000000000"],
    ["fff0000000180", "fff003fffe000", "fff00001fe000", "fff0000000000"],
  ]],
  ["long mode of 6.1", { format: PAGING_4_LEVEL, ...NX_OFF }, WALK_RULES_6_1, [
    ["800fff0000000080", "800fff0000000000", "800fff0000000000", "800fff0000000000"],
    ["800fff0000000080", "800fff003fffe000", "800fff00001fe000", "800fff0000000000"],
  ]],
  [
    "long mode of 6.1 on AMD without 1 GiB pages",
    {
      format: PAGING_5_LEVEL,
      maxphyaddr: 52,
      eferNx: true,
      amd: true,
    },
    WALK_RULES_6_1,
    [["180", "180", "80", "0", "0"], ["180", "180", "3fffe080", "1fe000", "0"]],
  ],
];

for (const [name, state, rules, expected] of ROWS) {
  Deno.test(`reservedBits() as the facts sheet has them: ${name}`, () => {
    assertEquals(masks(reservedBits(state, rules), state.format.rootLevel), expected);
  });
}

Deno.test("eptReservedBits() as the facts sheet has them", () => {
  assertEquals(masks(eptReservedBits({ format: EPT_5_LEVEL, maxphyaddr: 40, largestPage: 3 }), 5), [
    ["fff00000000f8", "fff00000000f8", "fff0000000078", "fff0000000078", "fff0000000000"],
    ["fff00000000f8", "fff00000000f8", "fff003ffff000", "fff00001ff000", "fff0000000000"],
  ]);
  const small = masks(eptReservedBits({ format: EPT_4_LEVEL, maxphyaddr: 52 }), 4);
  assertEquals(small, [["f8", "f8", "f8", "0"], ["f8", "3ffff080", "1ff080", "0"]]);
});

Deno.test("badMemoryTypes() lists memory types 2, 3, 7, write without read, and execute-only where that cannot be", () => {
  const all = badMemoryTypes(false);
  assertEquals(lanesToBigInt(all[0], all[1]), 0xff545454ffff5454n);
  const executeOnly = badMemoryTypes(true);
  assertEquals(lanesToBigInt(executeOnly[0], executeOnly[1]), 0xff444444ffff4444n);
});

Deno.test("pse36Bits() is 4 with KVM, and reaches MAXPHYADDR by the manual, up to 40 bits", () => {
  const bits = (maxphyaddr: number, rules: GuestWalkRules) =>
    pse36Bits({ format: PAGING_32BIT, maxphyaddr, pse36: true }, rules);
  assertEquals([32, 36, 39, 52].map((width) => bits(width, WALK_RULES_ARCHITECTURE)), [0, 4, 7, 8]);
  assertEquals(bits(52, WALK_RULES_6_1), 4);
  assertEquals(pse36Bits({ format: PAGING_32BIT, maxphyaddr: 40 }, WALK_RULES_6_1), 0);
});
