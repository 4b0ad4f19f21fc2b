import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseTraceText, TraceSyntaxError } from "@mmu-lab/tracing";
import { readRecording, readRecordingStream } from "./read_recording.ts";
import { QUIRK_SLOT_ZAP_ALL } from "./recording_reader.ts";
import type { MemslotOperation } from "./scenario.ts";
import { recordedLines, recordingOf, traceOf } from "./testdata/open.ts";
import { UnmodelledOperationError } from "./unmodelled_operation_error.ts";
import { validateScenario } from "./validate_scenario.ts";

const POOL = 0x7f0010000000;

function read(markers: readonly string[], name?: string) {
  return readRecording(parseTraceText(recordingOf(markers, name)), { file: "x.txt" });
}

/** Memslot operations of a recording with these calls: text of the marker, result. */
function calls(list: readonly (readonly [string, number])[]): (MemslotOperation & { seq?: number })[] {
  const markers = list.flatMap(([text, ret], i) => [`seq=${i + 1} ${text}`, `seq=${i + 1} op=done ret=${ret}`]);
  return read(markers).operations.map(({ operation }) => operation as MemslotOperation);
}

const create = (id: number, size: string) => `op=memslot_create as=0 id=${id} gpa=0x10000000 size=${size} flags=0`;

Deno.test("readRecordingStream() reads a recording: operations, outcomes, events", async () => {
  const recording = await readRecordingStream(recordedLines("linux-3.11-ept_s8"));
  const { name, cfg, seed, vcpus, guestPaging, operations } = recording;
  assertEquals([name, cfg, seed, vcpus, guestPaging], ["s8", "ept", 0, 1, "1g-identity"]);
  assertEquals(operations.length, 71);
  assertEquals(recording.before.map((line) => line.name), []);

  const [infra, vcpuCreate] = operations;
  assertEquals(infra!.operation, {
    op: "memslot",
    id: 0,
    gpa: 0,
    size: 0x80000,
    flags: 0,
    userspaceAddr: 0x7f0000000000,
    seq: 2,
  });
  assertEquals(infra!.events.map((line) => line.name), [
    "set_memory_region",
    "swap_memslots",
    "commit_memory_region",
    "set_memory_region_ret",
  ]);
  assertEquals(vcpuCreate!.operation, { op: "vcpu-create", vcpu: 0, seq: 3 });

  const write = operations.find(({ seq }) => seq === 56)!;
  assertEquals(write.operation, { op: "write", vcpu: 0, gva: 0xf0000000, size: 4, value: "0x195189c0", seq: 56 });
  assertEquals(write.outcome, { ret: 0, kind: "mmio", mmioReads: 0, mmioWrites: 1, value: "0x0" });
  assertEquals(write.events[1]?.text, "reason EPT_MISCONFIG rip 0x101f info 0 0");
  assertEquals(operations.at(-1)?.operation, { op: "vm-destroy", seq: 72 });
});

Deno.test("readRecordingStream() gives scenarios that validateScenario() accepts", async () => {
  for (const name of ["linux-3.11-ept_s8", "linux-3.11-ept_s14", "linux-6.1-tdp_s13"]) {
    const { scenario } = await readRecordingStream(recordedLines(name));
    assertEquals(validateScenario(JSON.parse(JSON.stringify(scenario))), scenario);
  }
});

Deno.test("readRecordingStream() asks for huge pages in s14 alone, and aligns slots of 2 MiB", async () => {
  const s14 = await readRecordingStream(recordedLines("linux-3.11-ept_s14"));
  assertEquals(s14.scenario.hostMemory[1], {
    hva: POOL,
    size: 16 << 20,
    fill: [0x55667788, 0x11223344],
    pages: "transparent-huge",
  });
  const creates = s14.operations.map(({ operation }) => operation)
    .filter((operation) => operation.op === "memslot" && operation.size === 4 << 20 && operation.id === 5);
  assertEquals((creates[0] as MemslotOperation).userspaceAddr, POOL);
  const s8 = await readRecordingStream(recordedLines("linux-3.11-ept_s8"));
  assertEquals(s8.scenario.hostMemory[1]?.pages, "4k");
});

Deno.test("readRecording() takes slot memory from the pool as the recorder did", () => {
  const taken = calls([
    [create(0, "0x80000"), 0], // not from the pool
    [create(1, "0x1000"), 0],
    [create(1, "0x3000"), -22], // refused, and takes all the same
    [create(2, "0x200000"), 0], // on a border of 2 MiB
    [create(3, "0x1000"), 0],
    [create(4, "0xc00000"), 0], // does not fit any more: from the start again
    [create(5, "0x1000"), 0],
  ]).map((call) => call.userspaceAddr);
  const offsets = [0, 0x1000, 0x200000, 0x400000, 0, 0xc00000];
  assertEquals(taken, [0x7f0000000000, ...offsets.map((at) => POOL + at)]);
});

Deno.test("readRecording() gives moves and flags changes the slot's memory, and deletes none", () => {
  const list = calls([
    [create(1, "0x1000"), 0],
    [create(2, "0x2000"), 0],
    [create(2, "0x1000"), -17], // refused: the recorder's note of slot 2 stays
    ["op=memslot_move as=0 id=2 from=0x10000000 gpa=0x20000000 size=0x2000 flags=1", 0],
    ["op=memslot_flags as=0 id=2 gpa=0x20000000 size=0x2000 flags_old=1 flags=0", 0],
    ["op=memslot_delete as=0 id=2 gpa=0x20000000 size=0x2000 flags=0", 0],
    ["op=memslot_delete as=0 id=2 gpa=0x20000000 size=0x2000 flags=0", -22],
    ["op=memslot_delete as=0 id=9 gpa=0x0 size=0x0 flags=0", -22],
  ]).slice(3);
  assertEquals(list, [
    { op: "memslot", id: 2, gpa: 0x20000000, size: 0x2000, flags: 1, userspaceAddr: POOL + 0x1000, seq: 4 },
    { op: "memslot", id: 2, gpa: 0x20000000, size: 0x2000, flags: 0, userspaceAddr: POOL + 0x1000, seq: 5 },
    { op: "memslot", id: 2, gpa: 0x20000000, size: 0, flags: 0, userspaceAddr: 0, seq: 6 },
    { op: "memslot", id: 2, gpa: 0x20000000, size: 0, flags: 0, userspaceAddr: 0, seq: 7 },
    { op: "memslot", id: 9, gpa: 0, size: 0, flags: 0, userspaceAddr: 0, seq: 8 },
  ]);
});

Deno.test("readRecording() reads bulk flags changes and the dirty log", () => {
  const { operations } = read([
    "seq=1 op=bulk_memslot_flags id=5 gpa=0x10000000 size=0x1000 count=137 toggles=0,1",
    "seq=1 op=done ret=0 flags=1",
    "seq=2 op=get_dirty_log id=5",
    "seq=2 op=done ret=0 dirty=2 pages=0,3",
  ]);
  assertEquals(operations.map(({ operation, outcome }) => [operation, outcome]), [
    [{ op: "bulk-flags", id: 5, count: 137, seq: 1 }, { ret: 0, flags: 1 }],
    [{ op: "get-dirty-log", id: 5, seq: 2 }, { ret: 0, dirty: 2, pages: "0,3" }],
  ]);
});

Deno.test("readRecording() keeps events between operations, and reads markers of trace-cmd", () => {
  const text = traceOf([
    "print: tracing_mark_write: seq=0 op=scenario name=s1 cfg=ept seed=0 vcpus=1 guest_paging=1g-identity",
    "kvm_entry: vcpu 0",
    "print: tracing_mark_write: seq=1 op=vcpu_start vcpu=0",
    "kvm_entry: vcpu 0",
    "print: tracing_mark_write: seq=1 op=done ret=0",
    "kvm_exit: reason EXTERNAL_INTERRUPT rip 0x1000 info 0 0",
  ]);
  const { before, operations } = readRecording(parseTraceText(text));
  assertEquals(before.length, 1);
  assertEquals([operations[0]?.startLine, operations[0]?.endLine], [3, 5]);
  assertEquals([operations[0]?.events.length, operations[0]?.after.map((line) => line.name)], [1, ["kvm_exit"]]);
});

Deno.test("readRecording() names file, line and operation of a recording that is cut off", () => {
  assertThrows(
    () => read(["seq=1 op=vcpu_create vcpu=0", "seq=1 op=done ret=0", "seq=2 op=read vcpu=0 gpa=0x0 gva=0x0 size=4"]),
    TraceSyntaxError,
    "line 4 of x.txt: expected 'seq=2 op=done' for op=read of line 4 (the recording is truncated)",
  );
});

Deno.test("readRecording() rejects what is no recording, and operations that overlap", () => {
  const fails = (text: string, message: string) =>
    assertThrows(() => readRecording(parseTraceText(text)), TraceSyntaxError, message);
  fails(traceOf(["kvm_entry: vcpu 0"]), "expected a recording, which begins with 'seq=0 op=scenario'");
  fails(traceOf(["tracing_mark_write: seq=1 op=vm_create"]), "expected the marker 'seq=0 op=scenario' first");
  fails(
    recordingOf(["seq=1 op=vcpu_start vcpu=0", "seq=2 op=vcpu_start vcpu=1"]),
    "expected 'seq=1 op=done' before another operation of the same thread, got 'seq=2 op=vcpu_start'",
  );
  fails(recordingOf(["seq=1 op=vcpu_start vcpu=0", "seq=3 op=done ret=0"]), "expected 'seq=1 op=done'");
  fails(recordingOf(["seq=3 op=done ret=0"]), "expected an operation, got 'seq=3 op=done'");
});

Deno.test("readRecording() takes map and remap for writes to guest tables by the program", () => {
  const text = recordingOf([
    "seq=1 op=map gva=0x40000000 gpa=0xd0000000 perm=w- pte_gpa=0x10000",
    "seq=1 op=done ret=0",
    "seq=2 op=remap gva=0x40000000 from=0xd0000000 gpa=0xe0000000 pte=0xe0000067 pte_gpa=0x10000",
    "seq=2 op=done ret=0",
  ]).replace("1g-identity", "4k-window");
  const { scenario } = readRecording(parseTraceText(text));
  assertEquals(scenario.guest, "recorder-4k");
  assertEquals(scenario.hostMemory[0].contents?.length, 21);
  assertEquals(scenario.operations, [
    { op: "host-write", hva: 0x7f0000010000, value: "0xd0000003", seq: 1 },
    { op: "host-write", hva: 0x7f0000010000, value: "0xe0000067", seq: 2 },
  ]);
});

Deno.test("readRecording() knows which quirk was disabled, and refuses others", () => {
  const done = (seq: number) => `seq=${seq} op=done ret=0`;
  const create = ["seq=2 op=vcpu_create vcpu=0", done(2)];
  const { disabledQuirks, operations } = read(["seq=1 op=disable_quirks mask=0x80", done(1), ...create]);
  assertEquals([disabledQuirks, operations.length], [QUIRK_SLOT_ZAP_ALL, 1]);
  assertEquals(read(create).disabledQuirks, 0);
  assertThrows(() => read(["seq=1 op=disable_quirks mask=0x81"]), UnmodelledOperationError, "quirks 0x81");
  const late = [...create, "seq=3 op=disable_quirks mask=0x80"];
  assertThrows(() => read(late), UnmodelledOperationError, "disabled first");
});

Deno.test("readRecordingStream() keeps what the kernel says while the VM is made", async () => {
  const { creation } = (await readRecordingStream(recordedLines("linux-6.1-tdp_s13"))).stretches[0].header;
  assertEquals(creation.map(({ text }) => text), ["set reason=2, inhibits=0x4", "set reason=0, inhibits=0x5"]);
});

Deno.test("readRecording() names an operation that is not modelled", () => {
  const fly = "seq=5 op=fly vcpu=0";
  const error = assertThrows(() => read([fly]), UnmodelledOperationError, "operation 5 (op=fly, line 2 of x.txt)");
  assertEquals([error.op, error.seq, error.line, error.file], ["fly", 5, 2, "x.txt"]);
  assertThrows(() => read(["seq=1 op=fly"]), UnmodelledOperationError, "no such operation is known");
  const shadow = recordingOf([]).replace("1g-identity", "2m-window");
  assertThrows(() => readRecording(parseTraceText(shadow)), UnmodelledOperationError, "guest_paging=2m-window");
});

Deno.test("readRecordingStream() passes errors of its lines on", async () => {
  await assertRejects(
    () =>
      readRecordingStream((async function* () {
        yield* parseTraceText("no trace line at all\n");
      })()),
    TraceSyntaxError,
  );
});
