import { ACC_ALL, ACC_EXEC, ACC_USER } from "@mmu-lab/spte-encoding";
import { assertEquals } from "@std/assert";
import { makeSpte, type NewSpte, type SpteRequest, tableHi, tableLo } from "./make_spte.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

const request: SpteRequest = {
  gfn: 2,
  pfn: 0x32fe,
  slot: undefined,
  access: ACC_ALL,
  hostWritable: true,
  speculative: false,
  canUnsync: true,
};

/** The entry that a request makes at level 1, in hexadecimal. */
function made(tiny: TinyMmu, changes: Partial<SpteRequest> = {}, oldLo = 0): string {
  tiny.slot();
  tiny.fault(0);
  const spte: NewSpte = { lo: 0, hi: 0 };
  makeSpte(tiny.mmu, tiny.entry(0).page, { ...request, ...changes }, oldLo, spte);
  return `${(spte.hi >>> 0).toString(16)}:${(spte.lo >>> 0).toString(16)}`;
}

Deno.test("makeSpte() makes the sptes that were recorded of 6.1 on EPT", () => {
  // linux-6.1-ept/ept-legacy/s20: a fault, and a prefetch.
  assertEquals(made(new TinyLegacy()), "6000000:32feb77");
  assertEquals(made(new TinyLegacy(), { speculative: true }), "6000000:32fea77");
});

Deno.test("makeSpte() leaves out what is not allowed", () => {
  assertEquals(made(new TinyLegacy(), { hostWritable: false }), "0:32fe975");
  assertEquals(made(new TinyLegacy(), { access: ACC_EXEC | ACC_USER }), "2000000:32fe975");
  assertEquals(made(new TinyLegacy(), { access: ACC_USER }), "2000000:32fe971");
});

Deno.test("makeSpte() leaves the dirty bit out over anything with bit 1 set, as 6.1 does; 3.11 never sets it", () => {
  assertEquals(made(new TinyLegacy(), {}, 6), "6000000:32fe977");
  assertEquals(made(new TinyMmu()), "0:32fed77");
});

Deno.test("makeSpte() marks the page dirty that may be written, in a slot that logs", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ flags: 1 });
  const slot = tiny.mmu.memslots[0].active.byId(0)!;
  tiny.fault(9);
  const { page } = tiny.entry(9);
  slot.dirtyBitmap!.fill(0);
  const spte: NewSpte = { lo: 0, hi: 0 };
  makeSpte(tiny.mmu, page, { ...request, slot }, 0, spte);
  makeSpte(tiny.mmu, page, { ...request, slot, gfn: 3, hostWritable: false }, 0, spte);
  assertEquals(slot.dirtyBitmap![0], 1 << 2);
});

Deno.test("tableLo() and tableHi() make an entry that links a table", () => {
  const { mmu } = new TinyLegacy();
  assertEquals([tableLo(mmu, 5), tableHi(mmu, 5)], [0x5907, 0]);
});
