import { ENOENT } from "@mmu-lab/memslots";
import { auditBooks } from "@mmu-lab/paging";
import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { identityGuestPaging } from "./guest.ts";
import { PROFILES } from "./profiles.ts";
import { GUEST_RUNS } from "./run_vcpu.ts";
import { Vm } from "./vm.ts";

const RAM = { id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: 0x7f0000000000 };

Deno.test("Vm.createVcpu() makes the kernel's private slots with the first vCPU", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  assertEquals(vm.memslots[0].active.size, 0);
  vm.createVcpu();
  vm.createVcpu();
  assertEquals([...vm.memslots[0].active].map(({ id, baseGfn, npages }) => [id, baseGfn, npages]), [[
    0x7f,
    0xfffbc,
    1,
  ]]);
  assertEquals(vm.memslots[0].generation, 1);
});

Deno.test("Vm.access() writes and reads memory, also across pages, and only the size that it is told", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.createVcpu();
  vm.memslot(RAM);
  vm.access(0, "write", 0x1ffc, 8, 0x1122334455667788n);
  assertEquals(vm.access(0, "read", 0x1ffc, 8).value, 0x1122334455667788n);
  assertEquals(vm.access(0, "read", 0x1ffe, 3).value, 0x445566n);
  assertEquals(vm.access(0, "rmw", 0x1ffc, 1, 0x88n).value, 0x88n);
  const outcome = vm.access(0, "read", 0x1ffc, 8);
  assertEquals(outcome.value, 0x1122334455667710n);
  assertEquals([outcome.kind, outcome.ramAccesses], ["ram", 2]);
});

Deno.test("Vm.access() is answered by the TLB while nothing changes", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.createVcpu();
  vm.memslot(RAM);
  vm.access(0, "write", 0x1000, 4, 1n);
  const { counts } = vm.mmu.counters;
  const [hits, exits] = [counts[Work.tlbHits], counts[Work.exits]];
  for (let i = 0; i < 5; i++) vm.access(0, i % 2 === 0 ? "read" : "write", 0x1000, 4);
  assertEquals([counts[Work.tlbHits] - hits, counts[Work.exits] - exits], [5, 0]);
});

Deno.test("Vm.access() reaches no old memory after a delete or move has returned", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.createVcpu();
  vm.memslot(RAM);
  vm.access(0, "write", 0x1000, 4, 7n);
  vm.memslot({ ...RAM, gpa: 0x40000000 });
  assertEquals(vm.access(0, "read", 0x1000, 4).kind, "mmio");
  assertEquals(vm.access(0, "read", 0x40001000, 4).value, 7n);
  vm.memslot({ ...RAM, size: 0 });
  assertEquals(vm.access(0, "read", 0x40001000, 4).kind, "mmio");
});

Deno.test("Vm.accessProtocol() reaches no old memory when a slot goes while the guest is about to access it", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  const vcpu = vm.createVcpu();
  vm.memslot(RAM);
  // The write leaves its translation in the TLB.
  for (let i = 0; i < 2; i++) vm.access(0, "write", 0x1000, 4, 7n);
  const access = vm.accessProtocol(vcpu, "read", 0x1000, 4);
  let step = access.next();
  assert(step.value === GUEST_RUNS);
  vm.memslot({ ...RAM, size: 0 });
  for (; !step.done; step = access.next()) {
    vm.execution.actor = vcpu.index;
    step.value.take(vcpu.index);
  }
  assertEquals([vcpu.outcome.kind, vcpu.outcome.ramAccesses], ["mmio", 0]);
});

Deno.test("Vm.access() walks the guest's own page tables, which fault in like any memory", () => {
  const paging = identityGuestPaging(0x10000, [0x11000, 0x12000]);
  assertEquals([paging.entryGpa(0xc0001234, 0), paging.entryGpa(0xc0001234, 1)], [0x10000, 0x11018]);
  const vm = new Vm(PROFILES.linux_3_11_ept, { guest: { paging } });
  vm.createVcpu();
  vm.memslot(RAM);
  vm.access(0, "read", 0x50000, 4);
  // The tables (one fault: the second is prefetched, or the first is) and the page itself.
  assert(vm.mmu.stats.exits >= 2 && vm.mmu.stats.exits <= 3, `${vm.mmu.stats.exits} exits`);
  const walked = vm.mmu.counters.counts[Work.walkReferences];
  vm.access(0, "read", 0x51000, 4);
  assert(vm.mmu.counters.counts[Work.walkReferences] > walked + 10);
});

Deno.test("Vm.dirtyLog() reports written pages once, and ENOENT where nothing is logged", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.createVcpu();
  vm.memslot(RAM);
  assertEquals(vm.dirtyLog(0), ENOENT);
  assertEquals(vm.dirtyLog(5), ENOENT);
  vm.access(0, "write", 0x3000, 4);
  vm.memslot({ ...RAM, flags: 1 });
  assertEquals(vm.dirtyLog(0), []);
  for (const gpa of [0x7000, 0x3000, 0x7ffc]) vm.access(0, "write", gpa, 4, 1n);
  assertEquals(vm.dirtyLog(0), [3, 7]);
  assertEquals(vm.dirtyLog(0), []);
  vm.access(0, "write", 0x7000, 4, 2n);
  assertEquals(vm.dirtyLog(0), [7]);
});

Deno.test("Vm.dirtyLog() may report a page that was only read: it was mapped writable, and marked at once", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.createVcpu();
  vm.memslot({ ...RAM, flags: 1 });
  vm.access(0, "read", 0x3000, 4);
  assertEquals(vm.dirtyLog(0), [3]);
  vm.access(0, "read", 0x3000, 4);
  assertEquals(vm.dirtyLog(0), []);
});

Deno.test("Vm.destroy() leaves no shadow page and no root", () => {
  for (const profile of Object.values(PROFILES)) {
    const vm = new Vm(profile);
    vm.createVcpu();
    vm.createVcpu();
    vm.memslot(RAM);
    for (const gpa of [0, 0x3000, 0xd0000000]) for (const vcpu of [0, 1]) vm.access(vcpu, "read", gpa, 4);
    vm.destroy();
    assertEquals(auditBooks(vm.mmu), []);
    assertEquals([vm.mmu.pool.used, vm.mmu.pagesWithMmio], [0, 0], profile.name);
  }
});

Deno.test("Vm.vcpu() throws on a number that was not created", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  assertThrows(() => vm.access(0, "read", 0, 4), RangeError, "Cannot use vCPU 0: the VM has 0; create it first");
});

Deno.test("Vm throws when it is given fewer shadow pages than a fault may need", () => {
  assertThrows(
    () => new Vm(PROFILES.linux_3_11_ept, { maxShadowPages: 63 }),
    RangeError,
    "Cannot give a VM 63 shadow pages: expected at least 64",
  );
  assertEquals(new Vm(PROFILES.linux_3_11_ept, { maxShadowPages: 64 }).mmu.maxPages, 64);
});

Deno.test("Vm throws when the strategy needs a number that the kernel's era does not have", () => {
  const profile = { ...PROFILES.linux_3_10_ept, strategy: PROFILES.linux_3_11_ept.strategy };
  assertThrows(() => new Vm(profile), RangeError, "MMIO sptes store no generation");
});

Deno.test("Vm maps with tables of five levels as with four, with one more reference a walk", () => {
  const answers = ([4, 5] as const).map((rootLevel) => {
    const vm = new Vm({ ...PROFILES.linux_3_17_ept, rootLevel });
    vm.createVcpu();
    vm.memslot({ id: 0, gpa: 2 ** 38, size: 0x4000, flags: 0, userspaceAddr: 0x7f0000000000 });
    vm.access(0, "write", 2 ** 38 + 8, 4, 7n);
    const { counts } = vm.mmu.counters;
    vm.mmu.vcpus[0].tlb.flush();
    const before = counts[Work.walkReferences];
    const { kind, value } = vm.access(0, "read", 2 ** 38 + 8, 4);
    assertEquals(auditBooks(vm.mmu), []);
    return { kind, value, mmio: vm.access(0, "read", 2 ** 39, 4).kind, walk: counts[Work.walkReferences] - before };
  });
  assertEquals(answers[0].kind, "ram");
  assertEquals(answers[0].value, 7n);
  assertEquals(answers[0].mmio, "mmio");
  assert(answers[1].walk > answers[0].walk);
  assertEquals({ ...answers[1], walk: 0 }, { ...answers[0], walk: 0 });
});
