import { parseTraceText } from "@mmu-lab/tracing";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { recordedLines, traceOf } from "./testdata/open.ts";
import { TraceSummarizer, type TraceSummary } from "./trace_summary.ts";

function summarize(events: readonly string[]): TraceSummary {
  const summarizer = new TraceSummarizer();
  for (const line of parseTraceText(traceOf(events))) summarizer.push(line);
  return summarizer.summary();
}

const mark = (gfn: number, gen: number) =>
  `mark_mmio_spte: sptep:ffff888000001000 gfn ${gfn.toString(16)} access 6 gen ${gen.toString(16)}`;
const check = (gen: number, stored: number) =>
  `check_mmio_spte: spte 16 kvm_gen ${gen.toString(16)} spte-gen ${stored.toString(16)} valid ${
    gen === stored ? 1 : 0
  }`;

Deno.test("TraceSummarizer counts a read that goes to user space once, and one that the kernel serves", () => {
  const { accesses, pages } = summarize([
    "kvm_mmio: mmio unsatisfied-read len 4 gpa 0xfee00000 val 0x0",
    "kvm_mmio: mmio read len 4 gpa 0xfee00000 val 0x7",
    "kvm_mmio: mmio read len 4 gpa 0xfec00010 val 0x7",
    "kvm_mmio: mmio write len 4 gpa 0xfee000b0 val 0x0",
    "kvm_fast_mmio: fast mmio at gpa 0xfd000000",
  ]);
  assertEquals(accesses, 4);
  assertEquals(pages.map(({ gpa, reads, writes }) => [gpa, reads, writes]), [
    [0xfee00000, 1, 1],
    [0xfd000000, 0, 1],
    [0xfec00000, 1, 0],
  ]);
});

Deno.test("TraceSummarizer tells refaults by the generation that they follow, the worst first", () => {
  const { answered, storms, generation } = summarize([
    mark(0xfee00, 2),
    check(2, 2),
    check(4, 2),
    mark(0xfee00, 4),
    check(6, 4),
    mark(0xfee00, 6),
    check(6, 2),
  ]);
  assertEquals(answered, { byCache: 0, bySpte: 1, stale: 3, marked: 3 });
  assertEquals(storms, [
    { generation: 6, refaults: 2, first: 1004, last: 1006 },
    { generation: 4, refaults: 1, first: 1002, last: 1002 },
  ]);
  assertEquals(generation, { values: 3, first: 2, last: 6, wraps: 0 });
});

Deno.test("TraceSummarizer sees the number go round, and not a second address space", () => {
  assertEquals(summarize([mark(1, 0x7fffe), mark(1, 0), mark(1, 2)]).generation.wraps, 1);
  assertEquals(summarize([mark(1, 100), mark(1, 99), mark(1, 100)]).generation.wraps, 0);
});

Deno.test("TraceSummarizer keeps the ten worst storms", () => {
  const { storms } = summarize(Array.from({ length: 40 }, (_, i) => check(2 * (i >> 1) + 2, 0)).slice(0, 39));
  assertEquals(storms.length, 10);
  assert(storms.every(({ refaults }) => refaults === 2));
});

Deno.test("TraceSummarizer knows the processor of recordings", async () => {
  for (const [name, processor] of [["linux-3.11-ept_s8", "Intel"], ["linux-6.1-tdp_s13", "AMD"]] as const) {
    const summarizer = new TraceSummarizer(processor === "AMD" ? "6.1" : "3.11");
    for await (const line of recordedLines(name)) summarizer.push(line);
    const summary = summarizer.summary();
    assertEquals(summary.processor, processor);
    assert(summary.accesses > 0 && summary.answered.stale > 0 && summary.generation.values > 1);
  }
});

Deno.test("TraceSummarizer names the line of an event that it cannot read", () => {
  assertThrows(() => summarize(["kvm_mmio: mmio write len 4 gpa"]), Error, "line 1");
});
