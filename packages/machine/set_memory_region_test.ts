import { none } from "@mmu-lab/invalidation";
import { EEXIST, EINVAL } from "@mmu-lab/memslots";
import { auditBooks } from "@mmu-lab/paging";
import { point, Work } from "@mmu-lab/protocol";
import { MEMSLOTS_UPDATED, RingBuffer } from "@mmu-lab/tracing";
import { assert, assertEquals } from "@std/assert";
import { withStrategy } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const RAM = { id: 0, gpa: 0x100000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 };
const REQUESTS = {
  create: RAM,
  flags: { ...RAM, flags: 1 },
  move: { ...RAM, flags: 1, gpa: 0x200000 },
  delete: { ...RAM, size: 0 },
};
const SEEN = point("seen");

Deno.test("setMemoryRegion() moves the generation once for create and flags, twice for move and delete", () => {
  const steps = (name: string) => {
    const vm = new Vm(PROFILES[name]);
    return Object.values(REQUESTS).map((region) => {
      const before = vm.memslots[0].generation;
      assertEquals(vm.memslot(region), 0);
      return vm.memslots[0].generation - before;
    });
  };
  assertEquals(steps("linux_3_11_ept"), [1, 1, 2, 2]);
  assertEquals(steps("linux_3_17_ept"), [2, 2, 4, 4]);
});

Deno.test("setMemoryRegion() tells the strategy each phase in order, with the generation that the set will have", () => {
  const phases: string[] = [];
  const profile = withStrategy(PROFILES.linux_3_11_ept, () => ({
    ...none(),
    *onMemslotUpdate(phase, { kind, generation, intermediate, baseGfn, npages }, mmu) {
      assert(mmu.lock.owner === -1);
      yield SEEN;
      phases.push(`${kind} ${phase} ${generation}${intermediate ? " intermediate" : ""} ${baseGfn}+${npages}`);
    },
  }), "spy");
  const vm = new Vm(profile);
  for (const region of Object.values(REQUESTS)) vm.memslot(region);
  const publication = (kind: string, generation: number, gfn: number, intermediate = "") =>
    ["publishing", "published", "completed"].map((phase) => `${kind} ${phase} ${generation}${intermediate} ${gfn}+16`);
  assertEquals(phases, [
    ...publication("create", 1, 0x100),
    "create committed 1 256+16",
    ...publication("flags", 2, 0x100),
    "flags committed 2 256+16",
    ...publication("move", 3, 0x200, " intermediate"),
    "move flushing 3 intermediate 512+16",
    ...publication("move", 4, 0x200),
    "move committed 4 512+16",
    ...publication("delete", 5, 0x200, " intermediate"),
    "delete flushing 5 intermediate 512+16",
    ...publication("delete", 6, 0x200),
    "delete committed 6 512+16",
  ]);
});

Deno.test("setMemoryRegion() tells the hook the number that the slots will have, also where it is called before", () => {
  const told = (name: string) => {
    const trace = new RingBuffer(64);
    const vm = new Vm(PROFILES[name], { trace });
    vm.memslot(RAM);
    const { args: [lo, hi] } = [...trace].find(({ event }) => event === MEMSLOTS_UPDATED)!;
    assertEquals(hi, vm.memslots[0].generation < 0 ? -1 : 0);
    assertEquals(lo, vm.memslots[0].generation);
    return lo;
  };
  assertEquals(["linux_4_10_npt", "linux_4_19_npt_0", "linux_4_19_npt", "linux_6_1_npt_tdp"].map(told), [
    -148,
    -146,
    -146,
    2,
  ]);
});

Deno.test("setMemoryRegion() returns the errno of what it refuses, and changes nothing", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.memslot(RAM);
  const { active, generation } = vm.memslots[0];
  assertEquals(vm.memslot({ ...RAM, id: 1 }), EEXIST);
  assertEquals(vm.memslot({ ...RAM, flags: 2 }), EINVAL);
  assertEquals(vm.memslot({ ...RAM, id: 1, size: 0 }), EINVAL);
  assertEquals(vm.memslot(RAM), 0, "no change is no error");
  assertEquals([vm.memslots[0].active, vm.memslots[0].generation], [active, generation]);
  assertEquals(vm.mmu.counters.counts[Work.memslotUpdates], 1);
  assertEquals(vm.slotsLock.owner, -1);
});

Deno.test("setMemoryRegion() refuses a slot beyond the last gfn that can be mapped, from 5.18 on", () => {
  const beyond = { ...RAM, gpa: 2 ** 40 - 0x1000, size: 0x2000 };
  const last = { ...beyond, gpa: 2 ** 40 - 0x2000 };
  for (const name of ["linux_6_1_npt_tdp", "linux_6_12_ept_legacy"]) {
    const vm = new Vm(PROFILES[name]);
    assertEquals([vm.memslot(beyond), vm.memslots[0].generation, vm.memslots[0].active.size], [EINVAL, 0, 0], name);
    assertEquals([vm.memslot(last), vm.memslots[0].generation], [0, 2], name);
    // The slot of a refused move was invalid for a while, and all that it mapped is gone.
    assertEquals([vm.memslot(beyond), vm.memslots[0].generation], [EINVAL, 6], name);
    const [slot] = vm.memslots[0].active;
    assertEquals([slot.baseGfn, slot.invalid], [2 ** 28 - 2, false], name);
    assertEquals(vm.slotsLock.owner, -1);
  }
  // Where guest tables are shadowed the processor never sees the gfn; older kernels do not look.
  for (const name of ["linux_6_1_npt_shadow", "linux_4_10_npt"]) {
    assertEquals(new Vm(PROFILES[name]).memslot(beyond), 0, name);
  }
});

Deno.test("setMemoryRegion() zaps everything for a delete or move, and nothing for a create or flags", () => {
  for (const name of ["linux_3_10_ept", "linux_3_11_ept"]) {
    const vm = new Vm(PROFILES[name]);
    vm.createVcpu();
    vm.memslot(RAM);
    for (
      const [kind, region] of [["flags", REQUESTS.flags], ["move", REQUESTS.move], ["delete", REQUESTS.delete]] as const
    ) {
      vm.access(0, "read", 0x300000, 4);
      vm.access(0, "read", region.gpa, 4);
      const before = vm.mmu.stats.mmu_shadow_zapped;
      vm.memslot(region);
      assertEquals(vm.mmu.stats.mmu_shadow_zapped > before, kind !== "flags", `${name} ${kind}`);
      assertEquals(auditBooks(vm.mmu), []);
    }
    vm.access(0, "read", 0x100000, 4);
    const before = vm.mmu.stats.mmu_shadow_zapped;
    vm.memslot({ ...RAM, id: 1, gpa: 0x900000 });
    // 3.10 zaps the pages with MMIO sptes.
    assertEquals(vm.mmu.stats.mmu_shadow_zapped > before, name === "linux_3_10_ept");
  }
});

Deno.test("setMemoryRegion() shows the slot as invalid while it is deleted, and a fault then makes an MMIO spte", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  const vcpu = vm.createVcpu();
  vm.memslot(RAM);
  vm.access(0, "write", RAM.gpa, 4, 7n);
  const { updater } = vm;
  const deletion = vm.memslotProtocol({ ...RAM, size: 0 });
  let seen: string | undefined;
  for (let step = deletion.next(); !step.done; step = deletion.next()) {
    vm.execution.actor = updater;
    assert(step.value.enabled(updater));
    step.value.take(updater);
    if (step.value !== vm.mmu.lock.release || seen !== undefined) continue;
    assert(vm.memslots[0].active.byId(0)!.invalid);
    seen = vm.access(vcpu.index, "read", RAM.gpa, 4).kind;
    vm.execution.actor = updater;
  }
  assertEquals(seen, "mmio");
  assertEquals(vm.memslots[0].active.byId(0), undefined);
});

Deno.test("setMemoryRegion() waits for vCPUs that handle an exit before it gives the final generation", () => {
  const vm = new Vm(PROFILES.linux_3_17_ept);
  const { index } = vm.createVcpu();
  const { updater } = vm;
  const before = vm.memslots[0].generation;
  vm.srcu.readLock.take(index);
  const creation = vm.memslotProtocol(RAM);
  let waited = false;
  for (let step = creation.next(); !step.done; step = creation.next()) {
    if (!step.value.enabled(updater)) {
      assertEquals([vm.memslots[0].active.byId(0)?.npages, vm.memslots[0].generation], [16, before + 1]);
      vm.srcu.readUnlock.take(index);
      waited = true;
      assert(step.value.enabled(updater));
    }
    vm.execution.actor = updater;
    step.value.take(updater);
  }
  assert(waited, "the vCPU is inside its read section");
  assertEquals(vm.memslots[0].generation, before + 2);
});

Deno.test("setMemoryRegion() sets the number of shadow pages to two percent of the memory", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  vm.memslot({ ...RAM, size: 0x10000000 });
  assertEquals(vm.mmu.maxPages, Math.floor(65536 * 0.02));
  vm.memslot({ ...RAM, size: 0 });
  assertEquals(vm.mmu.maxPages, 64);
  const told = new Vm(PROFILES.linux_3_11_ept, { maxShadowPages: 777 });
  told.memslot(RAM);
  assertEquals(told.mmu.maxPages, 777);
});

Deno.test("setMemoryRegion() refuses an address space that the kernel has not", () => {
  const vm = new Vm(PROFILES.linux_3_11_ept);
  const region = { id: 1, gpa: 0, size: 0x1000, flags: 0, userspaceAddr: 0x7f0000000000 };
  assertEquals(vm.memslot({ ...region, asId: 1 }), -22);
  assertEquals(vm.memslot({ ...region, asId: 0 }), 0);
});
