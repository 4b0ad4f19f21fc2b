import { assertEquals } from "@std/assert";
import { PFERR_FETCH, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { GuestWorld, PS } from "../testdata/guest_world.ts";
import { EPT_4_LEVEL, EPT_5_LEVEL } from "./format.ts";
import type { EptState } from "./guest_role.ts";

const RWX = 7n;
const WB = 6n << 3n;
const EPT_A = 0x100n;
const EPT_D = 0x200n;
const LEAF = 0x12345000n | WB | RWX;

function ept(state: Partial<EptState>, ...bits: bigint[]): GuestWorld {
  return new GuestWorld({ ept: { format: EPT_4_LEVEL, maxphyaddr: 46, largestPage: 3, ...state } }).link(...bits);
}

Deno.test("walkAddr() in EPT calls readable user, and keeps no accessed and dirty bits unless told", () => {
  const world = ept({}, RWX, RWX, RWX, LEAF);
  assertEquals(world.outcome(PFERR_USER | PFERR_WRITE), "gfn 12345 level 1 access 7");
  assertEquals(world.get(1), LEAF);
  const kept = ept({ accessedDirty: true }, RWX, RWX, RWX, LEAF);
  assertEquals(kept.outcome(PFERR_USER), "gfn 12345 level 1 access 5");
  assertEquals(kept.get(1), LEAF | EPT_A);
  assertEquals(kept.outcome(PFERR_USER | PFERR_WRITE), "gfn 12345 level 1 access 7");
  assertEquals(kept.get(1), LEAF | EPT_A | EPT_D);
});

Deno.test("walkAddr() in EPT of 5 levels and in large pages", () => {
  const five = ept({ format: EPT_5_LEVEL }, RWX, RWX, RWX, RWX, LEAF);
  assertEquals(five.outcome(PFERR_USER), "gfn 12345 level 1 access 7");
  const large = ept({}, RWX, RWX, 0x4000_0000n | PS | WB | RWX);
  assertEquals(large.outcome(PFERR_USER), "gfn 40001 level 2 access 7");
  const tooLarge = ept({ largestPage: 2 }, RWX, 0x4000_0000n | PS | WB | RWX);
  assertEquals(tooLarge.outcome(PFERR_USER), "ept-misconfiguration d");
});

Deno.test("walkAddr() in EPT makes a misconfiguration of bad bits", () => {
  const expected = "ept-misconfiguration d";
  for (const leaf of [LEAF & ~1n, (LEAF & ~WB) | (2n << 3n), LEAF | (1n << 46n), LEAF & ~3n]) {
    assertEquals(ept({}, RWX, RWX, RWX, leaf).outcome(PFERR_USER), expected, leaf.toString(16));
  }
  assertEquals(ept({}, RWX | (1n << 3n), RWX, RWX, LEAF).outcome(PFERR_USER), expected);
});

Deno.test("walkAddr() in EPT makes the qualification of a violation from access, entries and the exit being served", () => {
  const world = ept({}, RWX, RWX & ~4n, RWX, LEAF & ~2n);
  world.mmu.exitQualification = 0xfff;
  assertEquals(world.outcome(PFERR_USER | PFERR_WRITE), "ept-violation 18b");
  assertEquals(world.outcome(PFERR_USER | PFERR_FETCH), "ept-violation 18d");
  world.mmu.exitQualification = 0x81;
  world.set(2, 0n);
  assertEquals(world.outcome(PFERR_USER), "ept-violation 81");
});

Deno.test("walkAddr() in EPT lets execute-only pages be executed and not read, where the processor can", () => {
  const world = ept({ executeOnly: true }, RWX, RWX, RWX, LEAF & ~3n);
  assertEquals(world.outcome(PFERR_FETCH), "gfn 12345 level 1 access 1");
  assertEquals(world.outcome(PFERR_USER), "ept-violation 21");
});
