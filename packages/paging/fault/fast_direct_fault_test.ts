import { assertEquals } from "@std/assert";
import { fastDirectFault } from "./fast_direct_fault.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "./pferr.ts";
import { RetPf } from "./ret_pf.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";

const WRITE = PFERR_PRESENT | PFERR_WRITE;

function slotOf(tiny: TinyLegacy) {
  return tiny.mmu.memslots[0].active.byId(0);
}

function fast(tiny: TinyLegacy, gfn: number, errorCode: number): number {
  return fastDirectFault(tiny.mmu, tiny.vcpu, gfn * 4096, errorCode, slotOf(tiny));
}

/** Takes bits from the entry that maps a gfn. */
function take(tiny: TinyLegacy, gfn: number, bits: number): void {
  const { page, index, lo, hi } = tiny.entry(gfn);
  tiny.locked(() => tiny.mmu.setSpte(page, index, lo & ~bits, hi));
}

Deno.test("fastDirectFault() gives write access back and marks the page dirty, or finds it there", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ flags: 1 });
  tiny.handle(5);
  slotOf(tiny)!.dirtyBitmap!.fill(0);
  take(tiny, 5, SPTE_WRITABLE);
  assertEquals([fast(tiny, 5, WRITE), fast(tiny, 5, WRITE)], [RetPf.FIXED, RetPf.SPURIOUS]);
  assertEquals([tiny.entry(5).lo & SPTE_WRITABLE, slotOf(tiny)!.dirtyBitmap![0]], [SPTE_WRITABLE, 1 << 5]);
  assertEquals(tiny.mmu.stats.pf_fast, 2);
});

Deno.test("fastDirectFault() leaves to the long way what is not present, not a write, or must not be written", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ flags: 2 });
  tiny.handle(5);
  const codes = [0, PFERR_WRITE, PFERR_PRESENT, WRITE];
  assertEquals(codes.map((code) => fast(tiny, 5, code)), codes.map(() => RetPf.INVALID));
  assertEquals([fast(tiny, 0x1000, WRITE), tiny.mmu.stats.pf_fast], [RetPf.INVALID, 0]);
});

Deno.test("fastDirectFault() makes a large page writable only while its slot does not log", () => {
  const tiny = new TinyLegacy({ transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(5);
  take(tiny, 5, SPTE_WRITABLE);
  tiny.slot({ size: 0x400000, flags: 1 });
  assertEquals([fast(tiny, 5, WRITE), tiny.entry(5).lo & SPTE_WRITABLE], [RetPf.INVALID, 0]);
  tiny.slot({ size: 0x400000 });
  assertEquals([fast(tiny, 5, WRITE), tiny.mapped(5)], [RetPf.FIXED, "2:0"]);
});
