import { assertEquals } from "@std/assert";
import { EXIT_REASONS, SVM_EXIT_BASE } from "./exit_reason.ts";

Deno.test("EXIT_REASONS.name() prints VMX in upper case and SVM in lower case", () => {
  assertEquals(EXIT_REASONS.name(48, "3.11"), "EPT_VIOLATION");
  assertEquals(EXIT_REASONS.name(49, "6.12"), "EPT_MISCONFIG");
  assertEquals(EXIT_REASONS.name(SVM_EXIT_BASE + 0x400, "3.11"), "npf");
  assertEquals(EXIT_REASONS.name(SVM_EXIT_BASE + 0x4e, "6.1"), "PF excp");
});

Deno.test("EXIT_REASONS.name() follows the era", () => {
  assertEquals(EXIT_REASONS.name(7, "4.19"), "PENDING_INTERRUPT");
  assertEquals(EXIT_REASONS.name(7, "6.1"), "INTERRUPT_WINDOW");
  assertEquals(EXIT_REASONS.name(50, "3.11"), "0x32");
  assertEquals(EXIT_REASONS.name(50, "4.10"), "INVEPT");
  assertEquals(EXIT_REASONS.name(0x80000021, "6.1"), "INVALID_STATE FAILED_VMENTRY");
  assertEquals(EXIT_REASONS.name(0x80000021, "3.11"), "0x80000021");
});

Deno.test("EXIT_REASONS.code() knows old names and new", () => {
  assertEquals(EXIT_REASONS.code("PENDING_INTERRUPT", "6.1"), 7);
  assertEquals(EXIT_REASONS.code("INTERRUPT_WINDOW", "3.11"), 7);
  assertEquals(EXIT_REASONS.code("INVALID_STATE FAILED_VMENTRY", "6.1"), 0x80000021);
  assertEquals(EXIT_REASONS.code("npf", "3.11"), SVM_EXIT_BASE + 0x400);
});
