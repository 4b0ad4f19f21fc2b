import { assertEquals } from "@std/assert";
import { mmuPageFault } from "./page_fault.ts";
import { PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

function pageFault(tiny: TinyMmu, gfn: number, errorCode = 0): number {
  return tiny.run(mmuPageFault(tiny.mmu, tiny.vcpu, gfn * 4096, errorCode));
}

Deno.test("mmuPageFault() lets the guest run on when a page was mapped", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  assertEquals(pageFault(tiny, 5), 1);
  assertEquals(tiny.emulated, []);
});

Deno.test("mmuPageFault() emulates MMIO, with no retry as the vCPU's cache has the page", () => {
  const tiny = new TinyMmu();
  assertEquals(pageFault(tiny, 0xfee00), 1);
  assertEquals([tiny.emulated, tiny.lastRetry], [[0xfee00000], false]);
});

Deno.test("mmuPageFault() emulates a write to a read-only slot, with a retry allowed", () => {
  const tiny = new TinyMmu();
  tiny.slot({ flags: 2 });
  pageFault(tiny, 5, PFERR_WRITE);
  assertEquals([tiny.emulated, tiny.lastRetry], [[0x5000], true]);
});

Deno.test("mmuPageFault() exits to user space for MMIO and counts it; a failure exits without", () => {
  const tiny = new TinyMmu();
  tiny.emulatorReturns = "do-mmio";
  assertEquals(pageFault(tiny, 0xfee00), 0);
  assertEquals(tiny.mmu.stats.mmio_exits, 1);
  tiny.emulatorReturns = "fail";
  assertEquals(pageFault(tiny, 0xfee00), 0);
  assertEquals(tiny.mmu.stats.mmio_exits, 1);
});

Deno.test("mmuPageFault() hands an error up, and lets the guest try again", () => {
  const tiny = new TinyMmu();
  tiny.fault(0x1000);
  tiny.fault(0x1001);
  const { page, index } = tiny.entry(0x1000);
  tiny.mmu.setSpte(page, index, 0x1000077, 0);
  assertEquals(pageFault(tiny, 0x1000, PFERR_RSVD), -1);
  tiny.mmu.setSpte(page, index, 0, 0);
  assertEquals(pageFault(tiny, 0x1000, PFERR_RSVD), 1);
  assertEquals(tiny.emulated, []);
});
