/**
 * A first VM: Linux 3.11 on Intel EPT. The guest touches a device page twice, user space plugs in memory elsewhere, and
 * the guest touches the device again. The lines with a dash are the kernel's own tracepoints.
 *
 * `deno run -q -P=lab examples/01_first_vm.ts`
 */
import { PROFILES, Vm } from "@mmu-lab/machine";
import { printEvent, RingBuffer } from "@mmu-lab/tracing";

const trace = new RingBuffer(1024);
const vm = new Vm(PROFILES.linux_3_11_ept, { trace });
vm.createVcpu();
vm.memslot({ id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: 0x7f0000000000 });

const SHOWN = ["kvm_exit", "mark_mmio_spte", "check_mmio_spte"];

function tell(what: string): void {
  console.log(what);
  for (const { event, vcpu, args } of trace) {
    if (SHOWN.includes(event.name)) console.log(`  - ${event.name}: ${printEvent(event, vcpu, args, "3.11")}`);
  }
  trace.clear();
}

function touch(gpa: number): void {
  const { kind } = vm.access(0, "read", gpa, 4);
  tell(`read 0x${gpa.toString(16)}: ${kind}`);
}

trace.clear();
touch(0x5000); // RAM: an EPT violation maps it
touch(0xd0000000); // no memslot: an MMIO spte is written, and the access goes to a device
touch(0xd0001000); // another device page; the vCPU's own cache holds one page, and now it is this one
touch(0xd0000000); // the MMIO spte makes an EPT misconfiguration; its generation is checked, and it is trusted

vm.memslot({ id: 1, gpa: 0x10000000, size: 0x1000, flags: 0, userspaceAddr: 0x7f1000000000 });
tell("user space creates a memslot far away");

touch(0xd0001000); // the spte carries the old generation: it is not trusted, and made anew
