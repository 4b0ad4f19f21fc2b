import { Work } from "@mmu-lab/protocol";
import { RingBuffer } from "@mmu-lab/tracing";
import { assert, assertEquals } from "@std/assert";
import type { AccessSize } from "./guest.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const MMIO = 0xd0000000;
const RAM = { id: 0, gpa: 0x100000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 };
const READ_ONLY = { ...RAM, id: 1, gpa: 0x200000, flags: 2, userspaceAddr: 0x7f0000100000 };

/** A VM with RAM, a read-only slot, and user space that keeps what it was asked and answers with ones. */
function machine(): { vm: Vm; asked: string[] } {
  const asked: string[] = [];
  const vm = new Vm(PROFILES.linux_3_17_ept, {
    userspace: {
      read(gpa, data, length) {
        asked.push(`read ${gpa.toString(16)} ${length}`);
        data.fill(0x11);
      },
      write(gpa, data, length) {
        asked.push(`write ${gpa.toString(16)} ${length} [${data}]`);
      },
    },
  });
  vm.createVcpu();
  vm.memslot(RAM);
  vm.memslot(READ_ONLY);
  return { vm, asked };
}

Deno.test("an MMIO access of 1 to 8 bytes is one exchange with user space", () => {
  for (let size = 1; size <= 8; size++) {
    const { vm, asked } = machine();
    const read = vm.access(0, "read", MMIO + 8, size as AccessSize);
    assertEquals([read.mmioReads, read.mmioWrites, read.kind], [1, 0, "mmio"]);
    assertEquals(read.value, BigInt(`0x${"11".repeat(size)}`));
    const write = vm.access(0, "write", MMIO + 8, size as AccessSize, 0x0807060504030201n);
    assertEquals([write.mmioReads, write.mmioWrites], [0, 1]);
    const bytes = [1, 2, 3, 4, 5, 6, 7, 8].slice(0, size);
    assertEquals(asked, [`read d0000008 ${size}`, `write d0000008 ${size} [${bytes}]`]);
  }
});

Deno.test("an MMIO access that crosses a page is split into two fragments", () => {
  const { vm, asked } = machine();
  assertEquals(vm.access(0, "read", MMIO + 0xffd, 8).value, 0x1111111111111111n);
  vm.access(0, "write", MMIO + 0xffd, 8, 0x0807060504030201n);
  assertEquals(asked, [
    "read d0000ffd 3",
    "read d0001000 5",
    "write d0000ffd 3 [1,2,3]",
    "write d0001000 5 [4,5,6,7,8]",
  ]);
});

Deno.test("an access that crosses from memory into MMIO is split, and each piece goes where it belongs", () => {
  const { vm, asked } = machine();
  const end = RAM.gpa + RAM.size;
  const write = vm.access(0, "write", end - 2, 4, 0x04030201n);
  assertEquals([write.ramAccesses, write.mmioWrites], [1, 1]);
  assertEquals(asked, ["write 110000 2 [3,4]"]);
  assertEquals(vm.access(0, "read", end - 2, 4).value, 0x11110201n);
  // And the other way round.
  asked.length = 0;
  assertEquals(vm.access(0, "read", RAM.gpa - 3, 4).value, 0x00111111n);
  assertEquals(asked, ["read fffff 1", "read ffffd 3"].slice(1));
});

Deno.test("the emulator does not touch the memory of a slot that is being deleted", () => {
  const { vm, asked } = machine();
  const deletion = vm.memslotProtocol({ ...RAM, size: 0 });
  for (let step = deletion.next(); !step.done; step = deletion.next()) {
    if (vm.memslots[0].active.byId(RAM.id)!.invalid) break;
    vm.execution.actor = vm.updater;
    step.value.take(vm.updater);
  }
  // The vCPU's MMIO cache has the first page only, so the second is looked up.
  const { mmioWrites, ramAccesses } = vm.access(0, "write", RAM.gpa - 2, 4, 0x04030201n);
  assertEquals([mmioWrites, ramAccesses], [2, 0]);
  assertEquals(asked, ["write ffffe 2 [1,2]", "write 100000 2 [3,4]"]);
});

Deno.test("a read-modify-write of MMIO reads once and writes the sum", () => {
  const { vm, asked } = machine();
  const outcome = vm.access(0, "rmw", MMIO, 2, 0xf0n);
  assertEquals(outcome.value, 0x1111n);
  assertEquals(asked, ["read d0000000 2", "write d0000000 2 [1,18]"]);
});

Deno.test("a read-modify-write of a read-only page is sent back to the guest once, and then emulated", () => {
  const { vm, asked } = machine();
  vm.access(0, "read", READ_ONLY.gpa, 4);
  const { counts } = vm.mmu.counters;
  const [exits, emulations] = [vm.mmu.stats.exits, counts[Work.emulations]];
  vm.access(0, "rmw", READ_ONLY.gpa, 4, 5n);
  assertEquals(vm.mmu.stats.exits - exits, 2);
  assertEquals(counts[Work.emulations] - emulations, 2);
  assertEquals(asked, ["write 200000 4 [5,0,0,0]"]);
  assertEquals(vm.access(0, "read", READ_ONLY.gpa, 4).value, 0n);
});

Deno.test("while slots are in flux no MMIO spte is trusted, without a word, and a read is sent back once (6.1)", () => {
  const trace = new RingBuffer(256);
  const vm = new Vm(PROFILES.linux_6_1_npt_tdp, { trace });
  vm.createVcpu();
  vm.access(0, "read", MMIO, 4);
  const creation = vm.memslotProtocol(RAM);
  vm.execution.actor = vm.updater;
  for (let step = creation.next(); !step.done && !vm.memslots[0].updateInProgress; step = creation.next()) {
    step.value.take(vm.updater);
  }
  trace.clear();
  vm.access(0, "read", MMIO, 4);
  const told = Array.from(trace, ({ event }) => event.name);
  assertEquals(told.filter((name) => name === "check_mmio_spte"), []);
  assertEquals(told.filter((name) => name === "mark_mmio_spte").length, 2, "the guest tries again, and once only");
  assertEquals(told.filter((name) => name === "mmu_page_fault_ret").length, 2);
});

Deno.test("a plain write to a read-only page is emulated at once: guests write page tables with it", () => {
  const { vm, asked } = machine();
  const exits = vm.mmu.stats.exits;
  vm.access(0, "write", READ_ONLY.gpa, 4, 5n);
  assertEquals(vm.mmu.stats.exits - exits, 1);
  assertEquals(asked, ["write 200000 4 [5,0,0,0]"]);
});

Deno.test("a device in the kernel answers without an exit to user space", () => {
  const { vm, asked } = machine();
  const written: number[][] = [];
  vm.bus.add({
    name: "timer",
    gpa: MMIO,
    size: 0x10,
    read: (_gpa, data) => void data.fill(0x22),
    write: (_gpa, data) => void written.push([...data]),
  });
  const userspaceExits = vm.mmu.counters.counts[Work.userspaceExits];
  const read = vm.access(0, "read", MMIO + 4, 4);
  assertEquals([read.value, read.deviceAccesses, read.mmioReads, read.kind], [0x22222222n, 1, 0, "mmio"]);
  vm.access(0, "write", MMIO + 4, 2, 0x0201n);
  assertEquals(written, [[1, 2]]);
  assertEquals(vm.mmu.counters.counts[Work.userspaceExits], userspaceExits);
  // Beyond its range user space is asked.
  vm.access(0, "read", MMIO + 0xe, 4);
  assertEquals(asked, ["read d000000e 4"]);
});

Deno.test("the page of the local APIC is MMIO for the emulator, slot or not", () => {
  const { vm, asked } = machine();
  vm.memslot({ ...RAM, id: 2, gpa: 0xfee00000, size: 0x1000, flags: 2, userspaceAddr: 0x7f0000200000 });
  assertEquals(vm.access(0, "read", 0xfee00020, 4).kind, "ram");
  vm.access(0, "write", 0xfee00020, 4, 1n);
  assertEquals(asked, ["write fee00020 4 [1,0,0,0]"]);
});

Deno.test("gfn 0 is answered by its spte and never by the vCPU's MMIO cache", () => {
  const { vm } = machine();
  const { counts } = vm.mmu.counters;
  for (let i = 0; i < 4; i++) assertEquals(vm.access(0, "read", 0x10, 4).kind, "mmio");
  // The first read is sent back to the guest once, as the cache does not know its page.
  assertEquals([counts[Work.mmioCacheHits], counts[Work.mmioFastHits]], [0, 4]);
  for (let i = 0; i < 4; i++) vm.access(0, "read", MMIO, 4);
  assertEquals(counts[Work.mmioCacheHits], 3);
});

Deno.test("an emulated write marks the page dirty", () => {
  const { vm } = machine();
  vm.memslot({ ...RAM, flags: 1 });
  assertEquals(vm.dirtyLog(0), []);
  vm.access(0, "write", RAM.gpa + RAM.size - 1, 2, 0x0201n);
  assertEquals(vm.dirtyLog(0), [15]);
  assert(vm.access(0, "read", RAM.gpa, 1).kind === "ram");
});
