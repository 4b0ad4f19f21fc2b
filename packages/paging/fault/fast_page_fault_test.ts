import { Work } from "@mmu-lab/protocol";
import { assertEquals } from "@std/assert";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { fastPageFault } from "./fast_page_fault.ts";
import { SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { getDirtyLog } from "../pages/write_protect.ts";

const WRITE = PFERR_WRITE | PFERR_PRESENT;

/** A logging slot whose page 5 was mapped, reported, and write-protected. */
function protectedPage(): TinyMmu {
  const tiny = new TinyMmu();
  tiny.slot({ flags: 1 });
  tiny.fault(5);
  const slot = tiny.mmu.memslots[0].active.byId(0)!;
  assertEquals(tiny.run(getDirtyLog(tiny.mmu, slot)), [5]);
  assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, 0);
  return tiny;
}

function fast(tiny: TinyMmu, errorCode: number, gfn = 5): boolean {
  return fastPageFault(tiny.mmu, tiny.vcpu, gfn * 4096, 1, errorCode);
}

Deno.test("fastPageFault() gives write access back without the lock, and marks the page dirty", () => {
  const tiny = protectedPage();
  const locks = tiny.mmu.counters.counts[Work.lockAcquisitions];
  assertEquals(fast(tiny, WRITE), true);
  assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, SPTE_WRITABLE);
  assertEquals(tiny.mmu.memslots[0].active.byId(0)!.dirtyBitmap![0], 1 << 5);
  assertEquals(tiny.mmu.counters.counts[Work.lockAcquisitions], locks);
});

Deno.test("fastPageFault() leaves all but writes to present entries to the long way", () => {
  const tiny = protectedPage();
  for (const code of [0, PFERR_WRITE, PFERR_PRESENT, WRITE | PFERR_RSVD]) assertEquals(fast(tiny, code), false);
  assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, 0);
});

Deno.test("fastPageFault() has the guest try again when the entry has changed already", () => {
  const tiny = protectedPage();
  assertEquals(fast(tiny, WRITE, 6), true);
  assertEquals(tiny.mapped(6), "none");
  fast(tiny, WRITE);
  assertEquals(fast(tiny, WRITE), true);
});

Deno.test("fastPageFault() does not touch a page of a read-only slot", () => {
  const tiny = new TinyMmu();
  tiny.slot({ flags: 2 });
  tiny.fault(5);
  assertEquals(fast(tiny, WRITE), false);
});
