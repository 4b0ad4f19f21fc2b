import { PROFILES, Vm } from "@mmu-lab/machine";
import type { AccessOperation } from "@mmu-lab/workloads";
import { assertEquals } from "@std/assert";
import { Judge, type StaleAccess } from "./judge.ts";

/** A VM with memory at 0x1000 and read-only memory at 0x2000. */
function judged(): (op: AccessOperation["op"], gva: number, size?: AccessOperation["size"]) => StaleAccess | undefined {
  const judge = new Judge();
  const vm = new Vm(PROFILES.linux_3_17_ept, { userspace: judge.userspace });
  const vcpu = vm.createVcpu();
  vm.memslot({ id: 1, gpa: 0x1000, size: 0x1000, flags: 0, userspaceAddr: 0x10000 });
  vm.memslot({ id: 2, gpa: 0x2000, size: 0x1000, flags: 2, userspaceAddr: 0x20000 });
  return (op, gva, size = 4) => {
    const operation = { op, vcpu: 0, gva, size };
    judge.before(vm, vcpu, operation);
    vm.access(0, op, gva, size);
    return judge.after(vcpu, operation);
  };
}

Deno.test("Judge finds nothing wrong where all is right, also across pages and in read-only memory", () => {
  const access = judged();
  for (const op of ["read", "write", "rmw"] as const) {
    for (const gva of [0x0ffe, 0x1000, 0x1ffe, 0x2000, 0x2ffe, 0x3000, 0xfee00000]) {
      assertEquals(access(op, gva), undefined, `${op} ${gva.toString(16)}`);
    }
  }
});

Deno.test("Judge sees memory that was taken for a device, page by page", () => {
  const judge = new Judge();
  const vm = new Vm(PROFILES.linux_3_17_ept);
  const vcpu = vm.createVcpu();
  vm.memslot({ id: 1, gpa: 0x1000, size: 0x2000, flags: 0, userspaceAddr: 0x10000 });
  const operation = { op: "write", vcpu: 0, gva: 0x1ffe, size: 4 } as const;
  judge.before(vm, vcpu, operation);
  judge.userspace.write(0x2000, new Uint8Array(2), 2);
  assertEquals(judge.after(vcpu, operation), { gpa: 0x2000, expected: "memory", byCache: false });
});

Deno.test("Judge sees a device that was taken for memory", () => {
  const judge = new Judge();
  const vm = new Vm(PROFILES.linux_3_17_ept);
  const vcpu = vm.createVcpu();
  const operation = { op: "read", vcpu: 0, gva: 0x5004, size: 4 } as const;
  judge.before(vm, vcpu, operation);
  assertEquals(judge.after(vcpu, operation), { gpa: 0x5004, expected: "device", byCache: false });
});
