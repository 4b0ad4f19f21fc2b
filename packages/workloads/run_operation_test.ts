import { assertEquals, assertThrows } from "@std/assert";
import { PROFILES } from "@mmu-lab/machine";
import { runOperation, vmForScenario } from "./run_operation.ts";
import type { Operation, Scenario } from "./scenario.ts";

const HVA = 0x7f0000000000;
/** L1's EPT in frames 1 to 4: page 5 of L2 is frame 0xd0000, a device of L1, and page 6 is frame 6. */
const IN_L2: Scenario = {
  version: 1,
  name: "in-l2",
  guest: "flat",
  hostMemory: [{
    hva: HVA,
    size: 0x8000,
    contents: [
      ...[1, 2, 3].map((table): [number, number, number] => [table * 4096, (table + 1) * 4096 + 7, 0]),
      [0x4000 + 5 * 8, 0xd0000007, 0],
      [0x4000 + 6 * 8, 0x6007, 0],
    ],
  }],
  operations: [
    { op: "vcpu-create" },
    { op: "memslot", id: 0, gpa: 0, size: 0x8000, flags: 0, userspaceAddr: HVA },
    { op: "write", vcpu: 0, gva: 0x6000, size: 4, value: "0x1234" },
    { op: "enter-l2", vcpu: 0, eptp: 0x101e },
    { op: "read", vcpu: 0, gva: 0x6000, size: 4 },
    { op: "read", vcpu: 0, gva: 0x5000, size: 4 },
    { op: "read", vcpu: 0, gva: 0x7000, size: 4 },
    { op: "leave-l2", vcpu: 0 },
    { op: "read", vcpu: 0, gva: 0x5000, size: 4 },
    { op: "host-write", hva: HVA + 0x4000 + 7 * 8, value: "0x6007" },
    { op: "invept", vcpu: 0 },
    { op: "enter-l2", vcpu: 0, eptp: 0x101e },
    { op: "read", vcpu: 0, gva: 0x7000, size: 4 },
  ],
};

Deno.test("runOperation() lets a vCPU go to L2 and back", () => {
  const vm = vmForScenario(IN_L2, PROFILES.linux_4_10_ept_nested);
  const results = IN_L2.operations.map((operation) => {
    const { access } = runOperation(vm, operation);
    return access === undefined ? undefined : access.exitToL1?.kind ?? `${access.kind} ${access.value}`;
  });
  assertEquals(results.filter((result) => result !== undefined), [
    "ram 0",
    "ram 4660",
    "mmio 0",
    "ept-violation",
    "ram 0",
    "ram 4660",
  ]);
});

Deno.test("runOperation() refuses L2 where the kernel has no nested paging", () => {
  const vm = vmForScenario(IN_L2, PROFILES.linux_3_11_ept);
  runOperation(vm, { op: "vcpu-create" });
  const enter: Operation = { op: "enter-l2", vcpu: 0, eptp: 0x101e };
  assertThrows(() => runOperation(vm, enter), Error, "this kernel has no nested paging");
});
