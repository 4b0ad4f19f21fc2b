import { assertEquals } from "@std/assert";
import * as events from "./events_kvm.ts";
import { SVM_EXIT_BASE } from "./exit_reason.ts";
import { packBytes } from "./field.ts";
import { printEvent } from "./print_event.ts";

Deno.test("KVM_EXIT prints as each era does", () => {
  const args = [48, 0x100d, 0x181, 0, 0, 0, 0, 0];
  assertEquals(printEvent(events.KVM_EXIT, 0, args, "3.11"), "reason EPT_VIOLATION rip 0x100d info 181 0");
  assertEquals(
    printEvent(events.KVM_EXIT, 1, [SVM_EXIT_BASE + 0x400, 0x1000, 6, 2, 0x2000, 0, 0, 0], "6.1"),
    "vcpu 1 reason npf rip 0x1000 info1 0x0000000200000006 info2 0x0000000000002000 " +
      "intr_info 0x00000000 error_code 0x00000000",
  );
});

Deno.test("KVM_ENTRY names the instruction pointer from 6.1 on", () => {
  assertEquals(printEvent(events.KVM_ENTRY, 1, [], "4.19"), "vcpu 1");
  assertEquals(printEvent(events.KVM_ENTRY, 1, [0x1000, 0], "6.12"), "vcpu 1, rip 0x1000");
  assertEquals(printEvent(events.KVM_ENTRY, 1, [-0x1000, 1], "6.12"), "vcpu 1, rip 0xfffffffffffff000[immediate exit]");
});

Deno.test("KVM_MMIO names its type", () => {
  const { READ } = events.KVM_MMIO_TYPE;
  assertEquals(
    printEvent(events.KVM_MMIO, 0, [READ, 4, 0xe0000000, 0xc5a5a5a5, 0], "3.11"),
    "mmio read len 4 gpa 0xe0000000 val 0xc5a5a5a5",
  );
});

Deno.test("KVM_USERSPACE_EXIT prints a reason or an errno", () => {
  assertEquals(printEvent(events.KVM_USERSPACE_EXIT, 0, [6], "3.11"), "reason KVM_EXIT_MMIO (6)");
  assertEquals(printEvent(events.KVM_USERSPACE_EXIT, 0, [0], "3.11"), "reason KVM_EXIT_UNKNOWN (0)");
  assertEquals(printEvent(events.KVM_USERSPACE_EXIT, 0, [-4], "3.11"), "reason restart (4)");
  assertEquals(printEvent(events.KVM_USERSPACE_EXIT, 0, [-5], "3.11"), "reason error (5)");
  const parsed = events.KVM_USERSPACE_EXIT.format("3.11")?.parse("reason KVM_EXIT_IO (2)");
  assertEquals(parsed, { reason: "KVM_EXIT_IO", code: 2 });
});

Deno.test("KVM_EMULATE_INSN prints bytes, mode and failure", () => {
  const { PROT64, FAILED } = events.KVM_EMULATE_MODE;
  const insn = packBytes([0x8b, 0x03]);
  assertEquals(printEvent(events.KVM_EMULATE_INSN, 0, [0, 0x100d, ...insn, PROT64], "3.11"), "0:100d:8b 03 (prot64)");
  assertEquals(
    printEvent(events.KVM_EMULATE_INSN, 0, [0, 0x100d, ...insn, PROT64 | FAILED], "3.11"),
    "0:100d:8b 03 (prot64) failed",
  );
});

Deno.test("VCPU_MATCH_MMIO prints the access and what matched", () => {
  assertEquals(
    printEvent(events.VCPU_MATCH_MMIO, 0, [0x40000218, 0, 0xc0004218, 1, 0], "3.11"),
    "gva 0x40000218 gpa 0xc0004218 Write GVA",
  );
});
