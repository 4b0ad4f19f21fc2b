/**
 * Nested paging on a whole machine: which MMIO sptes it stores, and what happens where KVM and the hardware do not agree
 * on what is reserved.
 *
 * @module
 */
import { STRATEGIES } from "@mmu-lab/invalidation";
import { auditBooks, walkShadow } from "@mmu-lab/paging";
import { formatLanes, mmioLayout } from "@mmu-lab/spte-encoding";
import { nptBackend, type NptProcessor } from "@mmu-lab/svm-backend";
import { assertEquals, assertThrows } from "@std/assert";
import { type Profile, withStrategy } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const PROCESSOR: NptProcessor = {
  maxPhyAddr: 40,
  maxPageLevel: 3,
  reservedFaultIsPresent: true,
  readModifyWrite: "write",
};

/** 3.11 on a processor, and on a host that KVM believes to have so many address bits. */
function npt(hardware: Partial<NptProcessor>, believed: number = hardware.maxPhyAddr ?? 40): Profile {
  return {
    ...PROFILES.linux_3_11_npt,
    layout: () => mmioLayout("linux_3_11_shadow", { maxPhyAddr: believed }),
    backend: () => nptBackend({ ...PROCESSOR, ...hardware }),
  };
}

/** The MMIO spte that a read of a gfn leaves, after so many updates. */
function storedFor(gfn: number, profile: Profile, updates: number): string {
  const vm = new Vm(profile);
  vm.createVcpu();
  for (let i = 0; i < updates; i++) {
    vm.memslot({ id: 1, gpa: 0x1000, size: 0x1000, flags: i % 2, userspaceAddr: 0x7f0000000000 });
  }
  assertEquals(vm.access(0, "read", gfn * 4096, 4).kind, "mmio");
  const { mmu } = vm.vcpus[0];
  walkShadow(vm.mmu, mmu, gfn);
  return formatLanes(mmu.walk.lo, mmu.walk.hi);
}

/** Facts sheet 2.5, rows of a direct MMU, whose access is always 7; and one from a recording of 3.11. */
const GOLDEN: [gfn: number, maxPhyAddr: number, updates: number, spte: string][] = [
  [0xfee00, 36, 0, "0xfffffff0fee00b4f"],
  [0xd0000, 46, 151, "0xc00fc000d0000007"],
  [0xe0000, 40, 1, "0xffffff00e0000b57"],
];

for (const [gfn, maxPhyAddr, updates, spte] of GOLDEN) {
  Deno.test(`linux_3_11_npt stores ${spte} for gfn 0x${gfn.toString(16)} with ${maxPhyAddr} address bits`, () => {
    assertEquals(storedFor(gfn, npt({ maxPhyAddr }), updates), spte);
  });
}

Deno.test("an MMIO spte whose mark the hardware does not reserve is a mapping of foreign memory (B13, B15, B16)", () => {
  const kindsOf = (profile: Profile) => {
    const vm = new Vm(profile);
    vm.createVcpu();
    const kinds = [0, 1, 2].map(() => vm.access(0, "read", 0xd0000000, 4).kind);
    assertEquals(auditBooks(vm.mmu), []);
    return kinds;
  };
  assertEquals(kindsOf(npt({ maxPhyAddr: 43, encryptionBit: 47 })), ["mmio", "mmio", "mmio"]);
  assertEquals(kindsOf(npt({ maxPhyAddr: 46, keyIdBits: 6 })), ["mmio", "ram", "ram"]);
  assertEquals(kindsOf(npt({ maxPhyAddr: 51, encryptionBit: 51 })), ["mmio", "ram", "ram"]);
  assertEquals(kindsOf(npt({ maxPhyAddr: 52 }, 46)), ["mmio", "ram", "ram"]);
  assertEquals(kindsOf(npt({ maxPhyAddr: 52 })), ["mmio", "mmio", "mmio"]);
});

Deno.test("a read-modify-write that reads first faults twice where only writes are refused", () => {
  const exitsOf = (readModifyWrite: NptProcessor["readModifyWrite"]) => {
    const vm = new Vm(npt({ readModifyWrite }));
    vm.createVcpu();
    vm.memslot({ id: 0, gpa: 0, size: 0x10000, flags: 2, userspaceAddr: 0x7f0000000000 });
    vm.access(0, "rmw", 0x3ffe, 4, 1n);
    return vm.mmu.stats.exits;
  };
  // As a write: read-only memory is never mapped, and the fault is tried again once. As a read: both pages are mapped.
  assertEquals(exitsOf("write"), 2);
  assertEquals(exitsOf("read-then-write"), 4);
});

Deno.test("linux_3_11_npt treats memory as MMIO while a vCPU remembers it so (B01), whatever the strategy", () => {
  for (
    const profile of [
      PROFILES.linux_3_11_npt,
      withStrategy(PROFILES.linux_3_11_npt, STRATEGIES.hybrid.create, "hybrid"),
    ]
  ) {
    const vm = new Vm(profile);
    vm.createVcpu();
    vm.access(0, "read", 0xd0000000, 4);
    vm.memslot({ id: 0, gpa: 0xd0000000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 });
    assertEquals(vm.access(0, "write", 0xd0000000, 4).kind, "mmio");
    vm.access(0, "read", 0xe0000000, 4);
    assertEquals(vm.access(0, "write", 0xd0000000, 4).kind, "ram");
  }
});

Deno.test("KVM_RUN fails where an MMIO fault finds memory mapped (B23)", () => {
  const { cacheRule } = PROFILES.linux_3_17_ept;
  const vm = new Vm({ ...PROFILES.linux_3_11_npt, cacheRule });
  vm.createVcpu();
  vm.access(0, "read", 0xd0000000, 4);
  vm.memslot({ id: 0, gpa: 0xd0000000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 });
  const { mmu } = vm.vcpus[0];
  const handle = vm.backend.handleExit;
  vm.backend.handleExit = (on, vcpu) => {
    walkShadow(on, mmu, 0xd0000);
    on.setSpte(mmu.walk.page, mmu.walk.index, 0x1000027, 0);
    return handle.call(vm.backend, on, vcpu);
  };
  assertThrows(() => vm.access(0, "read", 0xd0000000, 4), Error, "KVM_RUN fails with -1");
});
