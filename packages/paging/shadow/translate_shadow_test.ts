import { assertEquals } from "@std/assert";
import { Access } from "../backend.ts";
import { PFERR_FETCH, PFERR_PRESENT, PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { FRAME } from "../testdata/tiny_mmu.ts";
import { LEVEL_2, READ_ONLY, TinyShadow } from "../testdata/tiny_shadow.ts";
import { FETCH_PAGES } from "../tlb.ts";
import { contextOf } from "./context_of.ts";
import { changePaging } from "./control_registers.ts";
import { type ShadowProcessor, translateShadow } from "./translate_shadow.ts";

const PROCESSOR: ShadowProcessor = { maxPhyAddr: 40, noExecute: true, reservedFaultIsPresent: true };
const USER = 4;

/** A guest whose page 0 is mapped to frame 0x40, and page 1 to no memory. */
function guest(bits?: number): TinyShadow {
  const tiny = new TinyShadow();
  tiny.guestMaps(0, 0x40, bits);
  tiny.guestMaps(1, 0x300);
  tiny.touch(0);
  tiny.touch(1);
  return tiny;
}

function translate(tiny: TinyShadow, page: number, access: number, processor: ShadowProcessor = PROCESSOR): number {
  return translateShadow(tiny.mmu, tiny.vcpu, page * 4096 + 8, access, processor);
}

/** What translateShadow() gives for a page fault. */
function fault(...bits: number[]): number {
  return -1 - bits.reduce((code, bit) => code | bit, 0);
}

Deno.test("translateShadow() finds the frame, sets accessed and dirty bits, and fills the TLB", () => {
  const tiny = guest();
  const { tlb } = tiny.vcpu;
  tlb.flush();
  assertEquals(translate(tiny, 0, Access.READ), FRAME + 0x40);
  assertEquals(tiny.spte(0) & 0x20, 0x20);
  assertEquals(tlb.lookup(0, false), FRAME + 0x40);
  assertEquals(translate(tiny, 0, Access.WRITE), FRAME + 0x40);
  assertEquals(tiny.spte(0) & 0x60, 0x60);
  assertEquals(tlb.lookup(0, true), FRAME + 0x40);
  // Instructions have a TLB of their own.
  assertEquals(tlb.lookup(FETCH_PAGES, false), -1);
  assertEquals(translate(tiny, 0, Access.FETCH), FRAME + 0x40);
  assertEquals(tlb.lookup(FETCH_PAGES, false), FRAME + 0x40);
});

Deno.test("translateShadow() faults where nothing is mapped, and says what the access was", () => {
  const tiny = guest();
  assertEquals(translate(tiny, 5, Access.READ), fault());
  assertEquals(translate(tiny, 5, Access.WRITE), fault(PFERR_WRITE));
  assertEquals(translate(tiny, 5, Access.FETCH), fault(PFERR_FETCH));
  assertEquals(translate(tiny, 5, Access.FETCH, { ...PROCESSOR, noExecute: false }), fault());
  contextOf(tiny.vcpu).userMode = true;
  assertEquals(translate(tiny, 5, Access.READ), fault(PFERR_USER));
});

Deno.test("translateShadow() faults on the reserved bits of an MMIO spte; one processor does not call it present", () => {
  const tiny = guest();
  assertEquals(translate(tiny, 1, Access.READ), fault(PFERR_RSVD, PFERR_PRESENT));
  const tcg = { ...PROCESSOR, reservedFaultIsPresent: false };
  assertEquals(translate(tiny, 1, Access.READ, tcg), fault(PFERR_RSVD));
  // With 52 address bits none of them is reserved: the mark is taken for a frame.
  assertEquals(translate(tiny, 1, Access.READ, { ...PROCESSOR, maxPhyAddr: 52 }) >= 0, true);
});

Deno.test("translateShadow() denies what some table or entry does not allow", () => {
  const readOnly = guest(READ_ONLY);
  assertEquals(translate(readOnly, 0, Access.READ), FRAME + 0x40);
  assertEquals(translate(readOnly, 0, Access.WRITE), fault(PFERR_WRITE, PFERR_PRESENT));
  const supervisor = guest(0x63);
  contextOf(supervisor.vcpu).userMode = true;
  assertEquals(translate(supervisor, 0, Access.READ), fault(PFERR_USER, PFERR_PRESENT));
  const user = guest();
  const { paging } = contextOf(user.vcpu);
  user.run(changePaging(user.mmu, user.vcpu, { ...paging, cr4Smep: true }));
  // The roots of before were given back; the vCPU takes others with its next entry.
  assertEquals(translate(user, 0, Access.READ), fault());
});

Deno.test("translateShadow() keeps the kernel from executing what the user may, under SMEP", () => {
  const tiny = new TinyShadow();
  contextOf(tiny.vcpu).paging = { ...contextOf(tiny.vcpu).paging, cr4Smep: true };
  tiny.guestMaps(0, 0x40);
  tiny.touch(0);
  assertEquals(translate(tiny, 0, Access.FETCH), fault(PFERR_FETCH, PFERR_PRESENT));
  contextOf(tiny.vcpu).userMode = true;
  assertEquals(translate(tiny, 0, Access.FETCH), FRAME + 0x40);
});

Deno.test("translateShadow() ends at a large page, with the frame within it", () => {
  const tiny = guest();
  const table = tiny.shadowOf(LEVEL_2);
  const { mmu } = tiny;
  mmu.setSpte(table, 0, (FRAME * 4096 + SPTE_LARGE + 3 + USER) | 0, 0);
  assertEquals(translate(tiny, 7, Access.WRITE), FRAME + 7);
});
