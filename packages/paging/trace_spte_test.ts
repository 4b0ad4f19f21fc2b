import { printEvent, RingBuffer, type TraceRecord } from "@mmu-lab/tracing";
import { assertEquals } from "@std/assert";
import { TinyTdp } from "./tdp-mmu/testdata/tiny_tdp.ts";

/** Events of a name, as 6.1 prints them. */
function printed(records: Iterable<TraceRecord>, name: string): string[] {
  return [...records]
    .filter(({ event }) => event.name === name)
    .map(({ event, vcpu, args }) => printEvent(event, vcpu, args, "6.1"));
}

Deno.test("traceRequest() shows the frame of the gfn, or that there is no slot", () => {
  const trace = new RingBuffer(1000);
  const tiny = new TinyTdp({}, { trace });
  tiny.slot();
  tiny.handle(5);
  tiny.handle(0xd0000);
  assertEquals(printed(trace, "kvm_mmu_spte_requested"), [
    "gfn 5 pfn 40005 level 1",
    "gfn d0000 pfn 8000000000000000 level 1",
  ]);
});

Deno.test("traceRequest() shows the frame of the gfn in a large page, and traceSetSpte() the first of both", () => {
  const trace = new RingBuffer(1000);
  const tiny = new TinyTdp({}, { trace, hugetlb: 2 });
  tiny.slot({ gpa: 0x200000, size: 0x200000, userspaceAddr: 0x40200000 });
  tiny.handle(0x205);
  assertEquals(printed(trace, "kvm_mmu_spte_requested"), ["gfn 205 pfn 40205 level 2"]);
  assertEquals(printed(trace, "kvm_mmu_set_spte").map((text) => text.replace(/spte \w+/, "spte")), [
    "gfn 200 spte (rwxu) level 2 at 2008",
  ]);
});

Deno.test("traceSetSpte() shows a mapping that was there already in the TDP MMU, and what a read-only slot allows", () => {
  const trace = new RingBuffer(1000);
  const tiny = new TinyTdp({}, { trace });
  tiny.slot({ flags: 2 });
  tiny.handle(5);
  tiny.handle(5);
  const texts = printed(trace, "kvm_mmu_set_spte");
  assertEquals(texts.length, 2);
  assertEquals(texts[0], texts[1]);
  assertEquals(texts[0].replace(/spte \w+/, "spte"), "gfn 5 spte (r-xu) level 1 at 3028");
});
