import { assertEquals, assertThrows } from "@std/assert";
import { parseEventText, stripProbeLocation } from "./parse_event.ts";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

Deno.test("parseEventText() reads names, numbers and 64 bits", () => {
  const parsed = parseEventText("kvm_mmio", "mmio read len 8 gpa 0xc0004218 val 0xe7a8bce1475cae5d", "3.11");
  assertEquals(parsed?.values, { type: "read", len: 8, gpa: 0xc0004218, val: "0xe7a8bce1475cae5d" });
});

Deno.test("parseEventText() tries the other eras and says which one matched", () => {
  const parsed = parseEventText("kvm_entry", "vcpu 0, rip 0x1000", "3.11");
  assertEquals(parsed?.era, "6.1");
  assertEquals(parsed?.values, { vcpu: 0, rip: 0x1000, immediate_exit: 0 });
});

Deno.test("parseEventText() gives undefined for an unknown event", () => {
  assertEquals(parseEventText("kvm_cpuid", "func 1 rax 0", "3.11"), undefined);
});

Deno.test("parseEventText() rejects a known event with a text of no era", () => {
  const error = assertThrows(
    () => parseEventText("kvm_entry", "vcpu one", "3.11", { file: "s1.trace.txt", line: 17 }),
    TraceSyntaxError,
    "Cannot parse trace line 17 of s1.trace.txt: expected 'kvm_entry: vcpu %u{vcpu}', got 'vcpu one'",
  );
  assertEquals(error instanceof SyntaxError, true);
});

Deno.test("stripProbeLocation() drops the first parentheses and nothing else", () => {
  assertEquals(stripProbeLocation("(f+0x0/0x6f0 [kvm]) slot=0"), "slot=0");
  assertEquals(stripProbeLocation("(g+0x3bb/0x5d0 <- f) ret=0"), "ret=0");
  assertEquals(stripProbeLocation("(f+0x0/0x10 [kvm])"), "");
  assertEquals(stripProbeLocation("ret=0"), "ret=0");
});
