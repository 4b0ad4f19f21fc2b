import { assertEquals, assertThrows } from "@std/assert";
import { parseTraceText, TraceSyntaxError } from "@mmu-lab/tracing";
import type { RecordedStretch } from "./recording.ts";
import { RecordingReader } from "./recording_reader.ts";

/** A trace of lines `THREAD EVENT`; markers are events that begin with `seq=`. */
function traceOf(lines: readonly string[]): string {
  return lines.map((line) => {
    const [pid, ...words] = line.split(" ");
    const text = words.join(" ");
    const event = text.startsWith("seq=") ? `tracing_mark_write: ${text}` : text;
    return `     memslot_lab-${pid}     [001] .....         3984: ${event}\n`;
  }).join("");
}

function readAll(lines: readonly string[]): { stretches: RecordedStretch[]; loose: string[]; reader: RecordingReader } {
  const loose: string[] = [];
  const stretches: RecordedStretch[] = [];
  const reader = new RecordingReader({}, (line) => loose.push(line.text));
  for (const line of parseTraceText(traceOf(lines))) {
    const stretch = reader.push(line);
    if (stretch !== undefined) stretches.push(stretch);
  }
  reader.finish();
  return { stretches, loose, reader };
}

const SCENARIO = "7 seq=0 op=scenario name=s7b cfg=tdp seed=0 vcpus=2 guest_paging=1g-identity";
const started = (pid: number, seq: number, vcpu: number) => `${pid} seq=${seq} op=vcpu_start vcpu=${vcpu}`;
const done = (pid: number, seq: number) => `${pid} seq=${seq} op=done ret=0`;

Deno.test("RecordingReader.push() tells of an operation when it is done, and of those that overlap together", () => {
  const { stretches, loose } = readAll([
    SCENARIO,
    started(7, 1, 0),
    done(7, 1),
    started(8, 2, 0),
    "8 e: a",
    started(9, 3, 1),
    "9 e: b",
    "8 e: c",
    done(8, 2),
    "8 e: between two operations of its thread",
    "4 e: of a thread that marks nothing",
    started(8, 4, 0),
    "4 e: for nobody",
    done(9, 3),
    "8 e: d",
    done(8, 4),
  ]);
  const texts = stretches.map(({ operations }) =>
    operations.map(({ seq, events }) => [seq, ...events.map(({ text }) => text)].join(" "))
  );
  assertEquals(texts, [["1"], ["2 a c", "3 b of a thread that marks nothing", "4 d"]]);
  assertEquals(loose, ["between two operations of its thread", "for nobody"]);
  assertEquals(stretches.map(({ order }) => order.join("")), ["", "00110012122"]);
});

Deno.test("RecordingReader.push() begins anew with each recording of a trace, with a header of its own", () => {
  const one = [SCENARIO, "7 seq=1 op=vm_create", done(7, 1), started(7, 2, 0), done(7, 2), "7 seq=3 op=vm_destroy"];
  const { stretches } = readAll([...one, done(7, 3), ...one, done(7, 3)]);
  const [a, b, c, d] = stretches;
  assertEquals([stretches.length, a.header === b.header, b.header === c.header, c.header === d.header], [
    4,
    true,
    false,
    true,
  ]);
});

Deno.test("RecordingReader takes the value that a thread stored which was held up behind another's number", () => {
  const write = (pid: number, seq: number) => `${pid} seq=${seq} op=write vcpu=0 gpa=0xd0000000 gva=0xd0000000 size=4`;
  const ended = (pid: number, seq: number) => `${done(pid, seq)} kind=mmio mmio_reads=0 mmio_writes=1 value=0x0`;
  const told = (pid: number, value: string) => `${pid} kvm_mmio: mmio write len 4 gpa 0xd0000000 val ${value}`;
  const valueOf = (value: string) => {
    const lines = [SCENARIO, write(8, 1), ended(8, 1), write(9, 2), ended(9, 2), write(9, 3), write(8, 4)];
    const { stretches } = readAll([...lines, told(8, value), ended(8, 4), ended(9, 3)]);
    const operation = stretches.at(-1)!.operations[1].operation;
    return operation.op === "write" ? operation.value : undefined;
  };
  // 0x05060708 times 4, 3, 2 and 1. Thread 8 made number 1 itself, so it has read the counter since.
  assertEquals(valueOf("0x14181c20"), "0x14181c20");
  assertEquals(valueOf("0xf121518"), "0xf121518");
  assertEquals(valueOf("0xa0c0e10"), "0xa0c0e10");
  assertEquals(valueOf("0x5060708"), "0x14181c20");
  assertEquals(valueOf("0x1234"), "0x14181c20");
});

const MISTAKES: [lines: string[], message: string][] = [
  [[SCENARIO, started(7, 1, 0), done(7, 1), SCENARIO], "expected 'op=vm_destroy' and its 'done' before another"],
  [[SCENARIO, "7 seq=1 op=vm_destroy", done(7, 1), started(7, 2, 0)], "expected nothing after 'op=vm_destroy'"],
  [[SCENARIO, "7 seq=1 op=vm_create", started(8, 2, 0)], "expected nothing else to happen while a VM is made"],
  [[SCENARIO, started(7, 1, 0), started(8, 2, 0), done(8, 2)], "expected 'seq=1 op=done' for op=vcpu_start of line 2"],
];

for (const [lines, message] of MISTAKES) {
  Deno.test(`RecordingReader says what is wrong: ${message}`, () => {
    assertThrows(() => readAll(lines), TraceSyntaxError, message);
  });
}
