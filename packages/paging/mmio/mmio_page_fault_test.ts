import { Work } from "@mmu-lab/protocol";
import { assertEquals } from "@std/assert";
import { handleMmioPageFault, MmioFault } from "./mmio_page_fault.ts";
import { PFERR_RSVD } from "../fault/pferr.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";
import { FAULT_RULES_3_11 } from "../fault/fault_rules.ts";

const GFN = 0xfee00;

function handle(tiny: TinyMmu, gfn = GFN): number {
  return tiny.run(handleMmioPageFault(tiny.mmu, tiny.vcpu, gfn * 4096 + 0x10));
}

/** An MMU with an MMIO spte, whose vCPU remembers another page. */
function withSpte(options = {}): TinyMmu {
  const tiny = new TinyMmu(options);
  tiny.fault(GFN);
  tiny.fault(GFN + 1);
  return tiny;
}

Deno.test("MmioFault has the values of 3.11", () => {
  assertEquals(MmioFault, { EMULATE: 1, INVALID: 2, RETRY: 0, BUG: -1 });
});

Deno.test("handleMmioPageFault() answers EMULATE from a current spte, and fills the vCPU's cache", () => {
  const tiny = withSpte();
  assertEquals(handle(tiny), MmioFault.EMULATE);
  // EPT loses the access: it is 0.
  assertEquals([tiny.vcpu.cache.gfn, tiny.vcpu.cache.gva, tiny.vcpu.cache.access], [GFN, 0, 0]);
  const { counts } = tiny.mmu.counters;
  assertEquals([counts[Work.mmioFastHits], counts[Work.mmioCacheHits]], [1, 0]);
  assertEquals(handle(tiny), MmioFault.EMULATE);
  assertEquals([counts[Work.mmioFastHits], counts[Work.mmioCacheHits]], [1, 1]);
});

Deno.test("handleMmioPageFault() answers INVALID for a stale spte", () => {
  const tiny = withSpte();
  tiny.bump();
  assertEquals(handle(tiny), MmioFault.INVALID);
  assertEquals(tiny.mmu.counters.counts[Work.mmioRefaults], 1);
  assertEquals(tiny.vcpu.cache.gfn, GFN + 1);
});

Deno.test("handleMmioPageFault() asks the cache of 3.11 before any generation (B01), and that of 3.17 with it", () => {
  const outcomes = (["none", "full"] as const).map((generation) => {
    const tiny = new TinyMmu({ cacheRule: { generation, skipWhileInFlux: false } });
    tiny.fault(GFN);
    tiny.bump();
    return handle(tiny);
  });
  assertEquals(outcomes, [MmioFault.EMULATE, MmioFault.INVALID]);
});

Deno.test("handleMmioPageFault() answers RETRY for an entry that has gone", () => {
  const tiny = withSpte();
  const { page, index } = tiny.entry(GFN);
  tiny.mmu.setSpte(page, index, 0, 0);
  assertEquals(handle(tiny), MmioFault.RETRY);
  assertEquals(handle(tiny, 0x123456), MmioFault.RETRY);
});

Deno.test("handleMmioPageFault() answers BUG for an entry that maps memory, where the kernel does", () => {
  for (const unexpectedSpte of ["bug", "retry"] as const) {
    const tiny = withSpte({ faultRules: { ...FAULT_RULES_3_11, unexpectedSpte } });
    const { page, index } = tiny.entry(GFN);
    tiny.mmu.setSpte(page, index, 0x1000077, 0);
    assertEquals(handle(tiny), unexpectedSpte === "bug" ? MmioFault.BUG : MmioFault.RETRY);
  }
});

Deno.test("tdpPageFault() with RSVD hands out what the MMIO path says, and goes on for INVALID alone", () => {
  const tiny = withSpte();
  assertEquals(tiny.fault(GFN, PFERR_RSVD), 1);
  const { counts } = tiny.mmu.counters;
  const slow = counts[Work.slowFaults];
  tiny.bump();
  tiny.fault(GFN + 2);
  assertEquals(tiny.fault(GFN, PFERR_RSVD), 1);
  assertEquals(counts[Work.slowFaults], slow + 2);
  const { page, index } = tiny.entry(GFN);
  tiny.fault(GFN + 2);
  tiny.mmu.setSpte(page, index, 0, 0);
  assertEquals(tiny.fault(GFN, PFERR_RSVD), 0);
  tiny.mmu.setSpte(page, index, 0x1000077, 0);
  assertEquals(tiny.fault(GFN, PFERR_RSVD), -1);
});
