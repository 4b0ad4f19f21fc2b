import { assert, assertEquals, assertThrows } from "@std/assert";
import { MARKER_EVENT, parseTraceText, type TraceLine, TraceSyntaxError } from "@mmu-lab/tracing";
import { readRecordingStream } from "./read_recording.ts";
import type { Operation } from "./scenario.ts";
import { inferScenario, inferScenarioStream } from "./scenario_from_trace.ts";
import { recordedLines, traceOf } from "./testdata/open.ts";
import { validateScenario } from "./validate_scenario.ts";

/** What the trace says of operations, without those that inference puts in front. */
function bodyOf(text: string, options = {}): Operation[] {
  const { operations } = inferScenario(parseTraceText(text), options).scenario;
  return operations.slice(1 + operations.findIndex(({ op }) => op === "memslot"));
}

async function* withoutMarkers(name: string): AsyncGenerator<TraceLine> {
  for await (const line of recordedLines(name)) if (line.name !== MARKER_EVENT) yield line;
}

const mark = (gen: number) => `mark_mmio_spte: sptep:ffff880039b76000 gfn d0000 access 6 gen ${gen.toString(16)}`;
const WRITE = "kvm_mmio: mmio write len 4 gpa 0xd0000000 val 0x1";
const ONE_WRITE: Operation = { op: "write", vcpu: 0, gva: 0xd0000000, size: 4, value: "0x1" };
const bulk = (count: number): Operation => ({ op: "bulk-flags", id: 1, count });

Deno.test("inferScenarioStream() finds the MMIO accesses of a recording stripped of its markers", async () => {
  const { scenario, accesses, updates, generationsSeen } = await inferScenarioStream(
    withoutMarkers("linux-3.11-ept_s8"),
  );
  const { operations } = await readRecordingStream(recordedLines("linux-3.11-ept_s8"));
  const recorded = operations.filter(({ outcome }) => outcome.kind === "mmio").map(({ operation }) => operation);
  const inferred = scenario.operations.filter(({ op }) => op === "read" || op === "write" || op === "rmw");
  assertEquals(accesses, recorded.length);
  for (const [i, { seq: _, ...operation }] of recorded.entries()) {
    // Where read-only memory serves the read of a rmw, only a write of the sum leaves a trace.
    if (operation.op === "rmw" && inferred[i]?.op === "write") continue;
    assertEquals(inferred[i], operation);
  }
  assertEquals([updates, generationsSeen], [9, 5]);
  assertEquals(validateScenario(JSON.parse(JSON.stringify(scenario))), scenario);
});

Deno.test("inferScenarioStream() puts the pieces of accesses that cross a page together", async () => {
  const { scenario } = await inferScenarioStream(withoutMarkers("linux-6.1-tdp_s13"));
  const body = scenario.operations.filter(({ op }) => op === "read" || op === "write");
  assertEquals(body.slice(0, 3), [
    { op: "read", vcpu: 0, gva: 0xe0000ffc, size: 8 },
    { op: "read", vcpu: 0, gva: 0xe0000ffc, size: 8 },
    { op: "write", vcpu: 0, gva: 0xe0000ffe, size: 4, value: (body[2] as { value: string }).value },
  ]);
});

Deno.test("inferScenario() takes a read and a write in one emulation for a rmw", () => {
  assertEquals(
    bodyOf(traceOf([
      "kvm_entry: vcpu 0",
      "kvm_mmio: mmio unsatisfied-read len 4 gpa 0xd0000200 val 0x0",
      "kvm_mmio: mmio read len 4 gpa 0xd0000200 val 0x12c92174015d8fa5",
      "kvm_mmio: mmio write len 4 gpa 0xd0000200 val 0x42abeb0d",
      "kvm_entry: vcpu 0",
      "kvm_mmio: mmio write len 4 gpa 0xd0000200 val 0x5",
    ])),
    [
      { op: "rmw", vcpu: 0, gva: 0xd0000200, size: 4, value: "0x414e5b68" }, // 0x05060708 * 13, as recorded in s1
      { op: "write", vcpu: 0, gva: 0xd0000200, size: 4, value: "0x5" },
    ],
  );
});

Deno.test("inferScenario() turns generation jumps into updates just before the access that shows them", () => {
  const text = traceOf([mark(0x7ff6b), WRITE, mark(0x7ff6c), WRITE, mark(0x7ff6e), WRITE]);
  assertEquals(bodyOf(text), [ONE_WRITE, bulk(1), ONE_WRITE, bulk(2), ONE_WRITE]);
});

Deno.test("inferScenario() follows the number round", () => {
  assertEquals(bodyOf(traceOf([mark(0x7ffff), WRITE, mark(1), WRITE])), [ONE_WRITE, bulk(1), ONE_WRITE]);
  assertEquals(bodyOf(traceOf([mark(0x7ffff), WRITE, mark(1), WRITE]), { step: 1 })[1], bulk(2));
  assertEquals(bodyOf(traceOf([mark(0xffffe), WRITE, mark(0), WRITE]))[1], bulk(1)); // 20 bits, step 2
});

Deno.test("inferScenario() guesses the step from the smallest jump, unless told", () => {
  const text = traceOf([mark(0x10), WRITE, mark(0x12), WRITE]);
  assertEquals(bodyOf(text)[1], bulk(1));
  assertEquals(bodyOf(text, { step: 1 })[1], bulk(2));
});

Deno.test("inferScenario() ignores a generation that goes back, and says so", () => {
  const inference = inferScenario(parseTraceText(traceOf([mark(8), mark(6), mark(8), WRITE])));
  assertEquals([inference.updates, inference.generationsSeen], [0, 2]);
  assert(inference.couldNot.some((text) => text.startsWith("follow the generation backwards, 1 times")));
});

Deno.test("inferScenario() finds the vCPU by thread, with or without kvm_entry", () => {
  const entered = traceOf(["kvm_entry: vcpu 1", WRITE, "kvm_entry: vcpu 0, rip 0x1000", WRITE]);
  assertEquals(bodyOf(entered).map((operation) => (operation as { vcpu: number }).vcpu), [1, 0]);
  const threads = inferScenario(parseTraceText(traceOf([WRITE], 7) + traceOf([WRITE], 8) + traceOf([WRITE], 7)));
  assertEquals(threads.scenario.operations.slice(-3).map((operation) => (operation as { vcpu: number }).vcpu), [
    0,
    1,
    0,
  ]);
  assert(threads.couldNot.some((text) => text.startsWith("name the vCPU of 2 threads")));
});

Deno.test("inferScenario() keeps its slot away from all accesses, and makes earlier updates", () => {
  const { scenario } = inferScenario(
    parseTraceText(traceOf(["kvm_mmio: mmio write len 4 gpa 0x10000ffe val 0x1"])),
    { updatesBefore: 3 },
  );
  assertEquals(scenario.operations.slice(0, 3), [
    { op: "vcpu-create", vcpu: 0 },
    { op: "memslot", id: 1, gpa: 0x10002000, size: 0x1000, flags: 0, userspaceAddr: 0x7f0000000000 },
    bulk(2),
  ]);
});

Deno.test("inferScenario() rejects a trace without MMIO", () => {
  assertThrows(
    () => inferScenario(parseTraceText(traceOf(["kvm_entry: vcpu 0"])), { file: "x.txt" }),
    TraceSyntaxError,
    "trace x.txt: expected at least one kvm_mmio event",
  );
});
