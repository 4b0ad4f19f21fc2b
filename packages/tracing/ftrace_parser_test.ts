import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseTrace, parseTraceText, type TraceLine } from "./ftrace_parser.ts";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

const TRACE = `# tracer: nop
#
#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION
           <...>-277   [000] ...1   7731230875: tracing_mark_write: seq=1 op=vm_create
           <...>-277   [000] ....   7731942757: kvm_mmu_pagetable_walk: addr e0000000 pferr 0 
     memslot_lab-284     [001] .....           24: kvm_apicv_inhibit_changed: set reason=0, inhibits=0x1 DISABLED
`;

const single = (line: string): TraceLine => {
  const [first] = parseTraceText(line);
  if (first === undefined) throw new Error("no line");
  return first;
};

Deno.test("parseTraceText() reads the kernel's own text", () => {
  assertEquals([...parseTraceText(TRACE)], [{
    lineNumber: 4,
    task: "<...>",
    pid: 277,
    cpu: 0,
    flags: "...1",
    timestamp: 7731230875,
    name: "tracing_mark_write",
    text: "seq=1 op=vm_create",
  }, {
    lineNumber: 5,
    task: "<...>",
    pid: 277,
    cpu: 0,
    flags: "....",
    timestamp: 7731942757,
    name: "kvm_mmu_pagetable_walk",
    text: "addr e0000000 pferr 0 ",
  }, {
    lineNumber: 6,
    task: "memslot_lab",
    pid: 284,
    cpu: 1,
    flags: ".....",
    timestamp: 24,
    name: "kvm_apicv_inhibit_changed",
    text: "set reason=0, inhibits=0x1 DISABLED",
  }]);
});

Deno.test("parseTraceText() reads tasks with spaces, dashes, brackets and thread groups", () => {
  const line = single("       CPU 0/KVM-4242  [003] d..2.  123.456789: kvm_entry: vcpu 0\n");
  assertEquals([line.task, line.pid, line.cpu, line.timestamp], ["CPU 0/KVM", 4242, 3, 123.456789]);
  assertEquals(single(" my-task-7 [000] .... 1: e: t").task, "my-task");
  assertEquals(single(" odd [0] x-7 [002] .... 1: e: t").cpu, 2);
  const grouped = single("            bash-1977  (   1977) [000] ...1 17284.993652: e: t");
  assertEquals([grouped.task, grouped.pid], ["bash", 1977]);
  assertEquals(single("          <idle>-0     [000]   1: e:").text, "");
});

Deno.test("parseTraceText() reads trace-cmd report", () => {
  const lines = [
    ...parseTraceText(`version = 6
CPU 1 is empty
cpus=2
           <...>-1234  [000]   123.456789: kvm_entry:            vcpu 0
CPU:0 [LOST 12 EVENTS]
 qemu-system-x86-1235  [001] d..1   123.456790123: kvm_exit:             reason npf rip 0x1000 info 6 2000
`),
  ];
  assertEquals(lines.map((line) => [line.flags, line.timestamp, line.name, line.text]), [
    ["", 123.456789, "kvm_entry", "vcpu 0"],
    ["d..1", 123.456790123, "kvm_exit", "reason npf rip 0x1000 info 6 2000"],
  ]);
});

Deno.test("parseTraceText() reads perf script", () => {
  const line = single("       CPU 0/KVM  4242 [003] 12345.678901:            kvm:kvm_entry: vcpu 0, rip 0x1000\r\n");
  assertEquals([line.task, line.pid, line.name, line.text], ["CPU 0/KVM", 4242, "kvm_entry", "vcpu 0, rip 0x1000"]);
  const both = single("qemu-kvm 4240/4242 [003] 1.5: probe:mmu_spte_set: (ffffffff81000000) spte=0");
  assertEquals([both.task, both.pid, both.name], ["qemu-kvm", 4242, "mmu_spte_set"]);
});

Deno.test("parseTraceText() names file, line and what it expected", () => {
  const broken = TRACE + "this is no trace line, and it is longer than sixty characters in all\n";
  const error = assertThrows(
    () => [...parseTraceText(broken, { file: "s1.trace.txt" })],
    TraceSyntaxError,
    "Cannot parse trace line 7 of s1.trace.txt: expected 'TASK-PID [CPU] FLAGS TIMESTAMP: event:', " +
      "got 'this is no trace line, and it is longer than sixty character…'",
  ) as TraceSyntaxError;
  assertEquals([error.file, error.line, error.expected], [
    "s1.trace.txt",
    7,
    "'TASK-PID [CPU] FLAGS TIMESTAMP: event:'",
  ]);
});

Deno.test("parseTraceText() rejects lines that almost are", () => {
  for (
    const line of ["task-x [000] .... 1: e: t", "task-1 [0x0] .... 1: e: t", "task-1 [000] .... now: e: t", "-1 [0] 1"]
  ) assertThrows(() => [...parseTraceText(line + "\n")], TraceSyntaxError, "Cannot parse trace line 1: expected");
});

Deno.test("parseTraceText() names a truncated last line", () => {
  const cut = TRACE + "           <...>-277   [000] ...";
  assertThrows(() => [...parseTraceText(cut)], TraceSyntaxError, "but the text ends within it (truncated)");
  assertEquals([...parseTraceText(TRACE.trimEnd())].length, 3);
});

Deno.test("parseTraceText() rejects a text without any event", () => {
  for (const text of ["", "# tracer: nop\n#\n", "\n\n"]) {
    assertThrows(
      () => [...parseTraceText(text, { file: "x.txt" })],
      TraceSyntaxError,
      "Cannot parse trace x.txt: expected a trace with at least one line",
    );
  }
});

Deno.test("parseTraceText() never throws anything but TraceSyntaxError", () => {
  const piece = fc.constantFrom("[", "]", "0", "12", "-", " ", ":", ".", "a", "(", ")", "/", "\n", "#", "kvm", "[0] ");
  fc.assert(fc.property(fc.array(piece).map((pieces) => pieces.join("")), (text) => {
    try {
      for (const line of parseTraceText(text)) assertEquals(Number.isFinite(line.timestamp), true);
    } catch (error) {
      if (!(error instanceof TraceSyntaxError)) throw error;
    }
  }));
});

Deno.test("parseTrace() reads chunks cut anywhere", async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(TRACE.length)), async (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), TRACE.length];
    const stream = ReadableStream.from(at.slice(1).map((end, index) => TRACE.slice(at[index], end)));
    assertEquals(await Array.fromAsync(parseTrace(stream)), [...parseTraceText(TRACE)]);
  }));
});

Deno.test("parseTrace() names a truncated last line and a text without any event", async () => {
  const read = (...chunks: string[]) => () => Array.fromAsync(parseTrace(ReadableStream.from(chunks)));
  await assertRejects(read(TRACE, "  task-1 [0"), TraceSyntaxError, "Cannot parse trace line 7: expected a whole line");
  await assertRejects(read("# tr", "acer: nop"), TraceSyntaxError, "at least one line");
});
