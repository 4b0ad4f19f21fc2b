import { assertEquals } from "@std/assert";
import { doPageFault } from "./do_page_fault.ts";
import { FAULT_RULES_6_1 } from "./fault_rules.ts";
import { PFERR_GUEST_PAGE, PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "./pferr.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";

const WRITE = PFERR_PRESENT | PFERR_WRITE;

function fault(tiny: TinyLegacy, gfn: number, errorCode: number): number {
  return tiny.run(doPageFault(tiny.mmu, tiny.vcpu, gfn * 4096, errorCode));
}

Deno.test("doPageFault() asks MMIO sptes first, and counts only what they do not answer", () => {
  const tiny = new TinyLegacy();
  const { stats } = tiny.mmu;
  tiny.handle(0xd0000);
  assertEquals([fault(tiny, 0xd0000, PFERR_RSVD), stats.pf_taken, tiny.emulated.length], [1, 1, 2]);
  tiny.bump();
  assertEquals([fault(tiny, 0xd0000, PFERR_RSVD), stats.pf_taken, stats.pf_emulate], [1, 2, 2]);
  // The entry has gone: the processor tries again.
  const { page, index } = tiny.entry(0xd0000);
  tiny.locked(() => tiny.mmu.clearSpte(page, index));
  tiny.vcpu.cache.gfn = 0;
  assertEquals([fault(tiny, 0xd0000, PFERR_RSVD), stats.pf_taken, tiny.emulated.length], [1, 2, 3]);
});

Deno.test("doPageFault() lets a write to read-only memory be tried again in 6.1, and not in 6.12", () => {
  for (const tellsWriteProtected of [false, true]) {
    const tiny = new TinyLegacy({ faultRules: { ...FAULT_RULES_6_1, tellsWriteProtected } });
    tiny.slot({ flags: 2 });
    fault(tiny, 5, WRITE);
    assertEquals([tiny.emulated, tiny.lastRetry], [[0x5000], !tellsWriteProtected]);
  }
});

Deno.test("doPageFault() lets a write to a guest table in read-only memory through, not emulated, in 6.1", () => {
  const tiny = new TinyLegacy();
  tiny.slot({ flags: 2 });
  assertEquals([fault(tiny, 5, WRITE + PFERR_GUEST_PAGE), tiny.emulated], [1, []]);
});
