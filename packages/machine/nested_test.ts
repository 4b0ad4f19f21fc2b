import { STRATEGIES } from "@mmu-lab/invalidation";
import { auditBooks, walkShadow } from "@mmu-lab/paging";
import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FLAT_GUEST, identityGuestPaging } from "./guest.ts";
import { type Profile, withStrategy } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { L1_EPT, L1Memory } from "./testdata/l1_ept.ts";
import { runInL2 } from "./testdata/nested_run.ts";
import { Vm } from "./vm.ts";

const { linux_4_10_ept_nested, linux_5_13_ept_nested, linux_6_1_ept_legacy_nested } = PROFILES;
const BOTH = [linux_4_10_ept_nested, linux_5_13_ept_nested];
const ALL = [...BOTH, linux_6_1_ept_legacy_nested];
/** Readable, writable, executable; write-back memory. */
const RWX = 0x37;
const SEED = 20260802;

/** Without three flaws that have tests of their own: MMIO sptes made good again, rights of another table, tables unprotected. */
function sound(profile: Profile): Profile {
  const { faultRules, walkRules } = profile;
  return {
    ...profile,
    faultRules: { ...faultRules, syncedMmioSpte: "looked-up", trustsWritable: "when-syncing" },
    walkRules: { ...walkRules, tableAccess: "level" },
  };
}

for (const profile of ALL) {
  for (const [name, { create }] of Object.entries(STRATEGIES)) {
    if (name === "none") continue;
    Deno.test(`${profile.name} with ${name} agrees with two-dimensional walks of L1's tables, seed ${SEED}`, () => {
      const strategy = withStrategy(sound(profile), create, name);
      assertEquals(runInL2({ profile: strategy, seed: SEED, operations: 12_000 }), undefined);
    });
  }
}

Deno.test("addresses of L2 that are taken for those of L1 lead to the wrong device (B19)", () => {
  const base = sound(linux_4_10_ept_nested);
  const { faultRules, cacheRule } = base;
  const wrong: Profile = { ...base, faultRules: { ...faultRules, emulatedAddress: "of-the-exit" } };
  assert(runInL2({ profile: wrong, seed: SEED, operations: 60_000 })?.includes("got MMIO"));
  const right: Profile = { ...wrong, cacheRule: { ...cacheRule, nestedGpa: "never-compared" } };
  assertEquals(runInL2({ profile: right, seed: SEED, operations: 60_000 }), undefined);
});

Deno.test("a sync makes a stale MMIO spte good again in 5.13; in 4.10 it zaps the page instead", () => {
  const kinds = BOTH.map((profile) => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0xd0000, RWX);
    vm.enterL2(0, L1_EPT);
    assertEquals(vm.access(0, "read", 0x10000, 4).kind, "mmio");
    vm.leaveL2(0);
    // Another entry of the same table: its page is marked as out of date.
    ept.mapByL1(0x11, 0x21, RWX);
    assertEquals(vm.mmu.stats.mmu_unsync, 1);
    vm.memslot({ id: 1, gpa: 0xd0000000, size: 0x1000, flags: 0, userspaceAddr: 0x7f0010000000 });
    vm.invept(0);
    vm.enterL2(0, L1_EPT);
    return vm.access(0, "read", 0x10000, 4).kind;
  });
  assertEquals(kinds, ["ram", "mmio"]);
});

for (const profile of ALL) {
  Deno.test(`an access of L2 goes by L1's EPT, which KVM shadows (${profile.name})`, () => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0x20, RWX);
    ept.map(0x11, 0xd0000, RWX);
    vm.access(0, "write", 0x20008, 8, 0x1234n);
    vm.enterL2(0, L1_EPT);
    assertEquals(vm.access(0, "read", 0x10008, 8).value, 0x1234n);
    const { outcome } = vm.vcpu(0);
    assertEquals(vm.access(0, "read", 0x11000, 4).kind, "mmio");
    assertEquals([outcome.mmioReads, outcome.exitToL1], [1, undefined]);
    const slow = vm.mmu.counters.counts[Work.slowFaults];
    vm.access(0, "read", 0x11000, 4);
    assertEquals(vm.mmu.counters.counts[Work.slowFaults], slow);
    vm.leaveL2(0);
    assertEquals(vm.access(0, "read", 0x11000, 4).kind, "ram");
    assertEquals(auditBooks(vm.mmu), []);
  });

  Deno.test(`what L1's EPT does not allow is an exit to L1 (${profile.name})`, () => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0x20, RWX & ~2);
    ept.map(0x11, 0xd0000, RWX & ~2);
    ept.map(0x12, 0x20, RWX & ~1);
    const { outcome } = vm.vcpu(0);
    const access = (kind: "read" | "write", gpa: number) => {
      vm.enterL2(0, L1_EPT);
      vm.access(0, kind, gpa, 4);
      if (outcome.exitToL1 === undefined) vm.leaveL2(0);
      return outcome.exitToL1;
    };
    // Final translation, linear address valid; readable and executable; a write.
    assertEquals(access("write", 0x10008), { kind: "ept-violation", qualification: 0x1aa, gpa: 0x10008 });
    assertEquals(access("read", 0x10008), undefined);
    assertEquals(access("write", 0x10008), { kind: "ept-violation", qualification: 0x1aa, gpa: 0x10008 });
    assertEquals(access("read", 0x15000), { kind: "ept-violation", qualification: 0x181, gpa: 0x15000 });
    assertEquals(access("read", 0x11000), undefined);
    // The MMIO spte does not tell a read from a write: the emulator finds that L1 forbids this one.
    assertEquals(access("write", 0x11000)?.kind, "ept-violation");
    assertEquals([outcome.mmioReads, outcome.mmioWrites], [0, 0]);
    assertEquals(access("read", 0x12000), { kind: "ept-misconfiguration", qualification: 0, gpa: 0x12000 });
    assertEquals(vm.mmu.stats.pf_guest, 0);
    assertEquals(auditBooks(vm.mmu), []);
  });

  Deno.test(`L1 changes its EPT and flushes it, and L2 goes by what is there then (${profile.name})`, () => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0x20, RWX);
    vm.access(0, "write", 0x20000, 8, 1n);
    vm.access(0, "write", 0x21000, 8, 2n);
    const read = () => {
      vm.enterL2(0, L1_EPT);
      const { value } = vm.access(0, "read", 0x10000, 8);
      vm.leaveL2(0);
      return value;
    };
    assertEquals(read(), 1n);
    ept.mapByL1(0x10, 0x21, RWX);
    vm.invept(0);
    assertEquals(read(), 2n);
    ept.mapByL1(0x10, 0xd0000, RWX);
    vm.invept(0, L1_EPT);
    read();
    assertEquals(vm.vcpu(0).outcome.mmioReads, 1);
    assertEquals(auditBooks(vm.mmu), []);
  });

  Deno.test(`a slot over what L2 has used as MMIO makes it memory, one that goes makes it MMIO (${profile.name})`, () => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x11, 0xd0000, RWX);
    const slot = { id: 1, gpa: 0xd0000000, size: 0x1000, flags: 0, userspaceAddr: 0x7f0010000000 };
    vm.enterL2(0, L1_EPT);
    assertEquals(vm.access(0, "read", 0x11000, 4).kind, "mmio");
    vm.memslot(slot);
    assertEquals(vm.access(0, "read", 0x11000, 4).kind, "ram");
    vm.memslot({ ...slot, size: 0 });
    assertEquals(vm.access(0, "read", 0x11000, 4).kind, "mmio");
    assertEquals(auditBooks(vm.mmu), []);
  });

  Deno.test(`tables of L2 are at addresses of L2 (${profile.name})`, () => {
    const guest = { ...FLAT_GUEST, l2: identityGuestPaging(0x30000, [0x31000]) };
    const { vm, ept } = new L1Memory(profile, guest);
    ept.map(0x10, 0xd0000, RWX);
    const { outcome } = vm.vcpu(0);
    for (const table of [0x30, 0x31]) {
      vm.enterL2(0, L1_EPT);
      vm.access(0, "read", 0x10000, 4);
      assertEquals(Math.floor(outcome.exitToL1!.gpa / 4096), table);
      ept.map(table, table - 0x10, RWX);
      vm.invept(0);
    }
    vm.enterL2(0, L1_EPT);
    assertEquals(vm.access(0, "read", 0x10000, 4).kind, "mmio");
  });
}

Deno.test("the emulated write of an entry of L1's EPT zaps its page in 4.10, and drops the entry in 5.13", () => {
  const flooded = BOTH.map((profile) => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0x20, RWX);
    vm.enterL2(0, L1_EPT);
    vm.access(0, "read", 0x10000, 4);
    vm.leaveL2(0);
    // An entry of a table that is not of level 1: write-protected.
    vm.access(0, "write", L1_EPT - 0x1e + 8, 8, 0n);
    assertEquals(vm.mmu.stats.mmu_pte_write, 1);
    return vm.mmu.stats.mmu_flooded;
  });
  assertEquals(flooded, [1, 0]);
});

Deno.test("4.10 drops another entry than the one of which L1 writes a byte, and L2 goes on by the old one", () => {
  const kinds = BOTH.map((profile) => {
    const memory = new L1Memory(profile);
    const { vm } = memory;
    // The second entry of the PD leads to a table that is no neighbour, so that prefetch does not make it unsync.
    for (const table of [1, 2]) memory.poke(table, 0, BigInt(table + 1) << 12n | 7n);
    memory.poke(3, 1, 0x10007n);
    memory.poke(0x10, 0, 0x20037n);
    vm.enterL2(0, L1_EPT);
    assertEquals(vm.access(0, "read", 0x200000, 4).kind, "ram");
    vm.leaveL2(0);
    // Not present any more: its low byte holds the rights.
    vm.access(0, "write", 3 * 4096 + 8, 1, 0n);
    assertEquals(vm.mmu.stats.mmu_pte_write, 1);
    vm.invept(0);
    vm.enterL2(0, L1_EPT);
    const { kind, exitToL1 } = vm.access(0, "read", 0x200000, 4);
    return exitToL1?.kind ?? kind;
  });
  assertEquals(kinds, ["ram", "ept-violation"]);
});

Deno.test("L2 writes by a way that L1 forbids, where pages of two ways are taken for one (CVE-2021-38198)", () => {
  const exits = (["leaf", "level"] as const).map((tableAccess) => {
    const base = linux_4_10_ept_nested;
    const memory = new L1Memory({ ...base, walkRules: { ...base.walkRules, tableAccess } });
    const { vm } = memory;
    // Both entries of the PDPT lead to one PD, the second without write access; so does the first entry of that.
    memory.poke(1, 0, 0x2007n);
    for (const [index, rights] of [7n, 5n].entries()) memory.poke(2, index, 0x3000n | rights);
    for (const [index, entry] of [0x4005n, 0x5007n].entries()) memory.poke(3, index, entry);
    memory.poke(4, 0, 0x20037n);
    memory.poke(5, 0, 0x21037n);
    vm.enterL2(0, L1_EPT);
    vm.access(0, "read", 0, 4);
    vm.access(0, "read", 0x40200000, 4);
    vm.access(0, "write", 0x200000, 4);
    vm.access(0, "write", 0x40200000, 4);
    return vm.vcpu(0).outcome.exitToL1?.kind;
  });
  assertEquals(exits, [undefined, "ept-violation"]);
});

Deno.test("a table of L1's EPT in memory that was a device goes out of date unnoticed in 6.1", () => {
  const values = (["always", "when-syncing"] as const).map((trustsWritable) => {
    const base = linux_6_1_ept_legacy_nested;
    const memory = new L1Memory({ ...base, faultRules: { ...base.faultRules, trustsWritable } });
    const { vm } = memory;
    for (const table of [1, 2]) memory.poke(table, 0, BigInt(table + 1) << 12n | 7n);
    memory.poke(3, 0, 0xd0000007n);
    memory.poke(0x20, 0, 1n);
    memory.poke(0x21, 0, 2n);
    // L1 has an MMIO spte for the frame, which bit 1 makes look writable; then it is memory, with a table in it.
    assertEquals(vm.access(0, "read", 0xd0000000, 8).kind, "mmio");
    const userspaceAddr = 0x7f0010000000;
    vm.memslot({ id: 1, gpa: 0xd0000000, size: 0x1000, flags: 0, userspaceAddr });
    vm.writeHost(userspaceAddr, 0x20037n);
    const read = () => {
      vm.enterL2(0, L1_EPT);
      const { value } = vm.access(0, "read", 0, 8);
      vm.leaveL2(0);
      return value;
    };
    assertEquals(read(), 1n);
    vm.access(0, "write", 0xd0000000, 8, 0x21037n);
    vm.invept(0);
    return read();
  });
  assertEquals(values, [1n, 2n]);
});

Deno.test("roots are dropped at each switch in 4.10, and kept in 5.13 until INVEPT", () => {
  const roots = BOTH.map((profile) => {
    const { vm, ept } = new L1Memory(profile);
    ept.map(0x10, 0x20, RWX);
    vm.access(0, "read", 0x20000, 4);
    const l1 = vm.vcpu(0).mmu.root;
    vm.enterL2(0, L1_EPT);
    vm.access(0, "read", 0x10000, 4);
    const l2 = vm.vcpu(0).mmu.root;
    vm.leaveL2(0);
    const back = vm.vcpu(0).mmu.root === l1;
    vm.enterL2(0, L1_EPT);
    const again = vm.vcpu(0).mmu.root === l2;
    vm.leaveL2(0);
    vm.invept(0, L1_EPT);
    vm.enterL2(0, L1_EPT);
    return [back, again, vm.vcpu(0).mmu.root === l2];
  });
  assertEquals(roots, [[false, false, false], [true, true, false]]);
});

Deno.test("Vm.enterL2() says why it cannot", () => {
  const { vm } = new L1Memory(linux_4_10_ept_nested);
  assertThrows(() => vm.enterL2(0, 0x1000), RangeError, "Cannot enter L2: VM entry fails for EPTP 0x1000");
  assertThrows(() => vm.enterL2(0, 0x105e), RangeError, "expected bits 11:0 of 0x1e");
  vm.enterL2(0, L1_EPT);
  assertThrows(() => vm.enterL2(0, L1_EPT), Error, "runs it already");
  assertThrows(() => vm.invept(0), Error, "runs L2");
  const plain = new Vm(PROFILES.linux_3_11_ept);
  plain.createVcpu();
  assertThrows(() => plain.enterL2(0, L1_EPT), Error, "no nested paging");
});

Deno.test("a sync keeps from L2 what L1's entry does not allow", () => {
  const { vm, ept } = new L1Memory(linux_5_13_ept_nested);
  const leaf = () => {
    vm.enterL2(0, L1_EPT);
    vm.access(0, "read", 0x10000, 4);
    walkShadow(vm.mmu, vm.vcpu(0).mmu, 0x10);
    vm.leaveL2(0);
    return vm.vcpu(0).mmu.walk.lo & 7;
  };
  ept.map(0x10, 0x20, RWX);
  assertEquals(leaf(), 7);
  for (const rights of [5, 3, 1, 7]) {
    ept.mapByL1(0x10, 0x20, 0x30 | rights);
    assertEquals(vm.mmu.stats.mmu_unsync, 1);
    vm.invept(0);
    assertEquals(leaf(), rights);
  }
});

Deno.test("a write by way of an EPT with dirty bits sets one, though one without has mapped the page writable", () => {
  const { vm, ept } = new L1Memory(linux_5_13_ept_nested);
  ept.map(0x10, 0x20, RWX);
  const entry = () => Number(vm.access(0, "read", ept.entry(0x10), 8).value) & 0x300;
  const write = (eptp: number) => {
    vm.enterL2(0, eptp);
    vm.access(0, "write", 0x10000, 8, 1n);
    vm.leaveL2(0);
  };
  write(L1_EPT);
  assertEquals(entry(), 0);
  write(L1_EPT | 0x40);
  assertEquals(entry(), 0x300);
});
