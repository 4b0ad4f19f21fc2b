/**
 * Shadow paging on a whole machine: random runs beside the guest's own tables, and the cases that the facts sheet tells
 * of MMIO sptes (sections 3.5 and 5).
 *
 * @module
 */
import { type FaultRules, PAGING_4_LEVEL, PAGING_OFF, PAGING_PAE, walkShadow } from "@mmu-lab/paging";
import { auditBooks, PAGING_32BIT, pteWrite } from "@mmu-lab/paging";
import { run } from "@mmu-lab/protocol";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { vmxShadowBackend } from "@mmu-lab/vmx-backend";
import type { Profile } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { runBesideTables } from "./testdata/shadow_run.ts";
import { strategyProfile } from "./testdata/random_run.ts";
import { Vm } from "./vm.ts";

const SEED = 20130401;
const HOST = 0x7f0000000000;

/** A kernel without what would find bugs of its time instead: B01, inherited permissions, and MMIO sptes made good again. */
function sound(profile: Profile): Profile {
  return {
    ...profile,
    cacheRule: PROFILES.linux_3_17_ept.cacheRule,
    faultRules: { ...profile.faultRules, syncedMmioSpte: "looked-up" },
    walkRules: { ...profile.walkRules, tableAccess: "level" },
  };
}

for (const [i, name] of ["fullWalk", "fullWalkEveryPage", "generation", "hybrid", "seedV2"].entries()) {
  for (const [kernel, bits] of [["linux_3_11_shadow", undefined], ["linux_3_11_npt_shadow", 4]] as const) {
    Deno.test(`${name} on ${kernel} agrees with the guest's tables over 24000 random operations`, () => {
      const profile = strategyProfile(sound(PROFILES[kernel]), name, bits);
      // What happens in the guest depends on the seed alone, so each strategy has its own.
      const seed = SEED + i;
      for (const [hostWrites, cr0Wp] of [[false, true], [true, true], [true, false]]) {
        assertEquals(runBesideTables({ profile, seed, operations: 8_000, hostWrites, cr0Wp }), undefined);
      }
    });
  }
}

const LATER = [
  ...["linux_3_13_npt_shadow", "linux_4_10_npt_shadow", "linux_4_19_npt_shadow", "linux_4_19_shadow_152"],
  ...["linux_4_10_shadow", "linux_6_1_npt_shadow", "linux_6_1_vmx_shadow"],
  ...["linux_6_12_npt_shadow", "linux_6_12_npt_shadow_slotzap", "linux_6_12_vmx_shadow"],
];
for (const kernel of LATER) {
  Deno.test(`${kernel} agrees with the guest's tables over 24000 random operations`, () => {
    const profile = sound(PROFILES[kernel]);
    for (const [hostWrites, cr0Wp] of [[false, true], [true, true], [true, false]]) {
      assertEquals(runBesideTables({ profile, seed: SEED, operations: 8_000, hostWrites, cr0Wp }), undefined);
    }
  });
}

/** A kernel on a processor that has 5-level paging. */
function withLa57(profile: Profile, sptes: "3.11" | "6.1"): Profile {
  const processor = {
    maxPhyAddr: 40,
    maxPageLevel: 3,
    noExecute: true,
    reservedFaultIsPresent: true,
    la57: true,
  } as const;
  return { ...profile, backend: () => vmxShadowBackend(processor, sptes) };
}

const WITH_LA57 = { linux_3_11_shadow: "3.11", linux_4_10_npt_shadow: "3.11", linux_6_1_vmx_shadow: "6.1" } as const;
for (const [kernel, sptes] of Object.entries(WITH_LA57)) {
  Deno.test(`the shadow MMU of ${kernel} agrees with 5-level tables over 24000 random operations`, () => {
    const profile = withLa57(sound(PROFILES[kernel]), sptes);
    for (const [hostWrites, cr0Wp] of [[false, true], [true, true], [true, false]]) {
      const run = { profile, seed: SEED, operations: 8_000, hostWrites, cr0Wp, levels: 5 } as const;
      assertEquals(runBesideTables(run), undefined);
    }
  });
}

/** Runs with one rule changed, over some seeds; the first disagreement. */
function disagreementOf(rules: Partial<FaultRules>, profile: Profile = sound(PROFILES.linux_3_11_shadow)) {
  for (let seed = 1; seed <= 8; seed++) {
    const changed = { ...profile, faultRules: { ...profile.faultRules, ...rules } };
    const wrong = runBesideTables({ profile: changed, seed, operations: 30_000, hostWrites: true });
    if (wrong !== undefined) return wrong;
  }
  return "none";
}

Deno.test("an MMIO spte written over a mapping is noticed in a random run (B25)", () => {
  assertStringIncludes(disagreementOf({ mappingUnderMmio: "overwritten" }), "is written over a present one");
});

Deno.test("an MMIO cache without generation is noticed in a random run (B01)", () => {
  const { cacheRule } = PROFILES.linux_3_11_shadow;
  assertStringIncludes(disagreementOf({}, { ...sound(PROFILES.linux_3_11_shadow), cacheRule }), "got MMIO at");
});

/** Frames 1 to 4 are tables that map linear page 0x1000 + i as entry i of frame 4 says; frames from 16 on are data. */
function guestOf(profile: Profile, cr0Wp: boolean = true): Vm {
  const vm = new Vm(profile, {
    guest: {
      paging: { levels: 0, entryGpa: () => 0, translate: (gva) => gva },
      tables: { cr3: 0x1000, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp } },
    },
  });
  vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST });
  for (const [at, entry] of [[0x1000, 0x2007n], [0x2000, 0x3007n], [0x3000, 0x4007n]] as const) {
    vm.writeHost(HOST + at, entry);
  }
  return vm;
}

/** Writes an entry of the table in frame 4, which maps linear pages from 0 on. */
function setEntry(vm: Vm, index: number, entry: bigint): void {
  vm.writeHost(HOST + 0x4000 + 8 * index, entry);
}

/** The shadow entry of a linear page. */
function spteOf(vm: Vm, page: number) {
  const { mmu } = vm.vcpus[0];
  walkShadow(vm.mmu, mmu, page);
  const { lo, hi, level } = mmu.walk;
  const { layout } = vm.mmu;
  const isMmio = layout.isMmio(lo, hi);
  return {
    level,
    isMmio,
    isPresent: vm.mmu.isPresent(lo, hi),
    gfn: isMmio ? layout.gfnOf(lo, hi) : undefined,
    access: isMmio ? layout.accessOf(lo, hi) : undefined,
    generation: isMmio ? layout.generationOf(lo, hi) : undefined,
    writable: (lo & 2) !== 0,
  };
}

for (const [bits, access] of [[0x67n, 6], [0x65n, 4], [0x63n, 2], [0x61n, 0]] as const) {
  Deno.test(`an MMIO spte keeps access ${access} of a guest entry 0x${bits.toString(16)}`, () => {
    const vm = guestOf(PROFILES.linux_3_11_shadow);
    setEntry(vm, 1, 0xd0000000n | bits);
    assertEquals(vm.access(0, "read", 0x1000, 4).kind, "mmio");
    const { isMmio, gfn, access: stored } = spteOf(vm, 1);
    assertEquals({ isMmio, gfn, stored }, { isMmio: true, gfn: 0xd0000, stored: access });
    assertEquals(vm.vcpus[0].mmu.cache.gva, 0x1000);
  });
}

Deno.test("a write that the cached access forbids goes through the guest's tables, and sets the dirty bit", () => {
  const vm = guestOf(PROFILES.linux_3_11_shadow);
  setEntry(vm, 1, 0xd0000007n);
  vm.access(0, "read", 0x1000, 4);
  assertEquals(vm.vcpus[0].mmu.cache.access & 2, 0);
  assertEquals(vm.access(0, "write", 0x1000, 4, 1n).mmioWrites, 1);
  assertEquals(vm.host.words(vm.host.pfn(HOST + 0x4000))[2] & 0x60, 0x60);
});

Deno.test("WP=0 lets the supervisor write a read-only mapping, and no MMIO spte says so", () => {
  const vm = guestOf(PROFILES.linux_3_11_shadow, false);
  setEntry(vm, 1, 0x10065n);
  setEntry(vm, 16, 0xd0000065n);
  assertEquals(vm.access(0, "write", 0x1000, 4, 5n).kind, "ram");
  assertEquals(spteOf(vm, 1).writable, true);
  assertEquals(vm.access(0, "write", 0x10000, 4, 5n).kind, "mmio");
  assertEquals(spteOf(vm, 16).access, 4);
  vm.setUserMode(0, true);
  assertEquals(vm.access(0, "read", 0x1000, 4).value, 5n);
  assertEquals(spteOf(vm, 1).writable, false);
  assertEquals(vm.access(0, "write", 0x1000, 4, 6n).faultCode, 7);
});

Deno.test("prefetch maps RAM over a stale MMIO spte, and clears one whose guest entry is not used any more", () => {
  const vm = guestOf(PROFILES.linux_3_11_shadow);
  for (const page of [8, 9, 10]) setEntry(vm, page, BigInt(0x100 + page) << 12n | 0x67n);
  for (const page of [8, 9, 10]) assertEquals(vm.access(0, "read", page * 4096, 4).kind, "mmio");
  vm.memslot({ id: 1, gpa: 0x108000, size: 0x3000, flags: 0, userspaceAddr: HOST + 0x1000000 });
  setEntry(vm, 10, 0x10a007n);
  assertEquals(vm.access(0, "read", 0x8000, 4).kind, "ram");
  assertEquals(spteOf(vm, 9).isPresent, true);
  assertEquals(spteOf(vm, 10), { ...spteOf(vm, 11) });
});

/** A vCPU uses an MMIO page whose table it may write; then memory appears there, and the vCPU loads CR3 again. */
function afterSync(profile: Profile) {
  const vm = guestOf({ ...profile, cacheRule: PROFILES.linux_3_17_ept.cacheRule });
  setEntry(vm, 1, 0xd0000067n);
  setEntry(vm, 2, 0x4067n);
  vm.access(0, "read", 0x1000, 4);
  // Through page 2 the guest writes its own table: that is out of date from now on.
  vm.access(0, "write", 0x2018, 8, 0x10067n);
  assertEquals(vm.mmu.stats.mmu_unsync, 1);
  const before = spteOf(vm, 1).generation!;
  vm.memslot({ id: 1, gpa: 0xd0000000, size: 0x1000, flags: 0, userspaceAddr: HOST + 0x1000000 });
  assert(vm.loadCr3(0, 0x1000));
  const after = spteOf(vm, 1);
  assertEquals(vm.mmu.stats.mmu_unsync, 0);
  return { before, after, kind: vm.access(0, "read", 0x1000, 4).kind };
}

Deno.test("a sync stamps a stale MMIO spte anew, though memory has appeared there: it is read as a device", () => {
  const { before, after, kind } = afterSync(PROFILES.linux_3_11_shadow);
  assertEquals(after.generation, before + 1);
  assertEquals(kind, "mmio");
});

Deno.test("a sync that looks the memslot up drops the MMIO spte", () => {
  const { after, kind } = afterSync(sound(PROFILES.linux_3_11_shadow));
  assertEquals(after.isMmio, false);
  assertEquals(kind, "ram");
});

for (const mappingUnderMmio of ["dropped", "overwritten"] as const) {
  Deno.test(`a mapping where the program puts a device page is ${mappingUnderMmio} (B25)`, () => {
    const { faultRules } = PROFILES.linux_3_11_shadow;
    const vm = guestOf({ ...PROFILES.linux_3_11_shadow, faultRules: { ...faultRules, mappingUnderMmio } });
    setEntry(vm, 1, 0x10027n);
    vm.access(0, "read", 0x1000, 4);
    setEntry(vm, 1, 0xd0000067n);
    assertEquals(vm.access(0, "write", 0x1000, 4, 1n).kind, "mmio");
    assertEquals(vm.mmu.warnings.length, mappingUnderMmio === "dropped" ? 0 : 1);
    assertEquals(vm.mmu.shadow.rmap.has(0x10 * 4 + 1), mappingUnderMmio === "overwritten");
  });
}

for (const [updatedCopy, exits] of [["level-above", 2], ["own-level", 1]] as const) {
  Deno.test(`a walk that keeps updated entries at ${updatedCopy} takes ${exits} exits for a first access (B27)`, () => {
    const { walkRules } = PROFILES.linux_3_11_shadow;
    const vm = guestOf({ ...PROFILES.linux_3_11_shadow, walkRules: { ...walkRules, updatedCopy } });
    setEntry(vm, 1, 0x10007n);
    vm.access(0, "read", 0x1000, 4);
    assertEquals(vm.mmu.stats.exits, exits);
  });
}

Deno.test("a guest that writes a table of level 2 too often loses its shadow (flooding)", () => {
  const vm = guestOf(PROFILES.linux_3_11_shadow);
  // Frame 5 is one that the writes themselves do not need: walks that use a table forget the writes to it.
  for (const [at, entry] of [[0x2008, 0x5007n], [0x5000, 0x6007n], [0x6000, 0x10067n]] as const) {
    vm.writeHost(HOST + at, entry);
  }
  setEntry(vm, 1, 0x5067n);
  vm.access(0, "read", 0x40000000, 4);
  for (let i = 1; i <= 3; i++) vm.access(0, "write", 0x1100 + 8 * i, 8, 0x5007n);
  const { mmu_flooded, mmu_pte_write, mmu_pde_zapped } = vm.mmu.stats;
  assertEquals({ mmu_flooded, mmu_pte_write, mmu_pde_zapped }, { mmu_flooded: 1, mmu_pte_write: 3, mmu_pde_zapped: 2 });
});

Deno.test("INVLPG drops one translation of a table that is out of date, and no other", () => {
  const vm = guestOf(PROFILES.linux_3_11_shadow);
  for (const [page, entry] of [[1, 0x10067n], [2, 0x11067n], [8, 0x4067n]] as const) setEntry(vm, page, entry);
  vm.access(0, "write", 0x1000, 8, 0x10n);
  vm.access(0, "write", 0x2000, 8, 0x11n);
  vm.access(0, "write", 0x8000 + 8, 8, 0x11067n);
  vm.access(0, "write", 0x8000 + 16, 8, 0x10067n);
  assertEquals(vm.access(0, "read", 0x2000, 8).value, 0x11n);
  vm.invlpg(0, 0x2000);
  assertEquals(vm.access(0, "read", 0x2000, 8).value, 0x10n);
  assertEquals(vm.mmu.stats.invlpg, 1);
});

Deno.test("a guest changes from paging off to 32-bit tables, PAE and long mode", () => {
  const vm = new Vm(PROFILES.linux_3_11_shadow);
  vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST });
  vm.access(0, "write", 0x10008, 8, 0x1234n);
  const cr0Wp = true;
  // 32-bit: directory in frame 1, entry 3; table in frame 2, entry 700, which is in the second half.
  const gva = (3 * 1024 + 700) * 4096 + 8;
  vm.writeHost(HOST + 0x1008, 0x2007n << 32n);
  vm.writeHost(HOST + 0x2000 + 700 * 4, 0x10007n);
  vm.setPaging(0, { format: PAGING_32BIT, maxphyaddr: 40, cr0Wp });
  assert(vm.loadCr3(0, 0x1000));
  assertEquals(vm.access(0, "read", gva, 8).value, 0x1234n);
  assertEquals(vm.access(0, "read", gva + 4096, 8).faultCode, 0);
  // PAE: pointers at the start of frame 3, directory in frame 4, table in frame 5.
  vm.writeHost(HOST + 0x3008, 0x4001n);
  vm.writeHost(HOST + 0x4000, 0x5007n);
  vm.writeHost(HOST + 0x5018, 0x10007n);
  vm.setPaging(0, { format: PAGING_PAE, maxphyaddr: 40, cr0Wp });
  assert(vm.loadCr3(0, 0x3000));
  assertEquals(vm.access(0, "write", 0x40003008, 8, 0x5678n).faultCode, -1);
  vm.setPaging(0, { format: PAGING_OFF, maxphyaddr: 40 });
  assertEquals(vm.access(0, "read", 0x10008, 8).value, 0x5678n);
  assertEquals(vm.access(0, "read", 0xd0000000, 4).kind, "mmio");
  assertEquals(vm.loadCr3(0, 0xd0000000), false);
});

for (const [kernel, maps] of [["linux_3_11_npt_shadow", true], ["linux_4_10_npt_shadow", false]] as const) {
  Deno.test(`a write to a table of level 2 is emulated by ${kernel}, and its page ${maps ? "" : "not "}mapped`, () => {
    const vm = guestOf(PROFILES[kernel]);
    // Page 1 is the table that the guest reads it by, page 2 another one.
    vm.writeHost(HOST + 0x3008, 0x5067n);
    for (const [page, entry] of [[1, 0x3067n], [2, 0x5067n]] as const) setEntry(vm, page, entry);
    vm.access(0, "read", 0x1000, 8);
    const { pf_fixed } = vm.mmu.stats;
    vm.access(0, "write", 0x1010, 8, 0x6067n);
    assertEquals(vm.mmu.stats.insn_emulation, 1);
    assertEquals(vm.mmu.stats.pf_fixed - pf_fixed, maps ? 1 : 0);
    assertEquals(spteOf(vm, 1).writable, false);
  });
}

Deno.test("an address space has shadow pages of its own, and they stay while a vCPU is in the other", () => {
  const vm = guestOf(PROFILES.linux_4_10_npt_shadow);
  vm.memslot({ id: 0, asId: 1, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST });
  setEntry(vm, 1, 0x10067n);
  for (const [smm, made] of [[false, 4], [true, 8], [false, 8], [true, 8]] as const) {
    vm.setSmm(0, smm);
    vm.access(0, "read", 0x1000, 8);
    assertEquals(vm.mmu.stats.mmu_cache_miss, made);
  }
});

/** A guest whose page 1 is the table of level 2 in frame 5, which is shadowed, and page 2 a device. */
function writesTables(profile: Profile): Vm {
  const vm = guestOf(profile);
  for (const [at, entry] of [[0x2008, 0x5067n], [0x5000, 0x6067n], [0x6000, 0x10067n]] as const) {
    vm.writeHost(HOST + at, entry);
  }
  for (const [page, entry] of [[1, 0x5067n], [2, 0xd0000067n]] as const) setEntry(vm, page, entry);
  vm.access(0, "read", 0x40000000, 8);
  return vm;
}

for (const [kernel, again] of [["linux_6_1_npt_shadow", 1], ["linux_6_12_npt_shadow", 2]] as const) {
  Deno.test(`${kernel} sends a guest back that adds to a table, and remembers for which fault: ${again}`, () => {
    const vm = writesTables(PROFILES[kernel]);
    const emulated = () => vm.mmu.stats.mmu_pte_write;
    vm.access(0, "rmw", 0x1100, 8, 0n);
    // Its page went, and the guest has done it itself.
    assertEquals(emulated(), 0);
    assertEquals(vm.mmu.stats.pf_emulate, 1);
    // 6.1 forgets it with the next instruction that is emulated.
    vm.access(0, "read", 0x2000, 8);
    vm.access(0, "read", 0x40000000, 8);
    const before = emulated();
    vm.access(0, "rmw", 0x1100, 8, 0n);
    assertEquals(emulated() - before, again - 1);
  });
}

Deno.test("a vCPU keeps three roots from 4.19 on, and has them at once when CR3 comes back", () => {
  for (const [kernel, made] of [["linux_4_10_npt_shadow", 0], ["linux_4_19_npt_shadow", 3]] as const) {
    const vm = guestOf(PROFILES[kernel]);
    for (const root of [5, 6, 7, 8]) vm.writeHost(HOST + root * 4096, 0x2007n);
    setEntry(vm, 1, 0x10067n);
    for (const root of [1, 5, 6, 7]) {
      assert(vm.loadCr3(0, root * 4096));
      vm.access(0, "read", 0x1000, 8);
    }
    const kept = () => vm.vcpus[0].mmu.shadow!.previousRoots.map(({ page }) => vm.mmu.pool.gfn[page]);
    assertEquals(kept().length, made);
    if (made === 0) continue;
    assertEquals(kept(), [6, 5, 1]);
    assert(vm.loadCr3(0, 0x5000));
    assertEquals(kept(), [7, 6, 1]);
    // The one that was used least lately goes.
    assert(vm.loadCr3(0, 0x8000));
    assertEquals(kept(), [5, 7, 6]);
    vm.access(0, "read", 0x1000, 8);
    assertEquals(auditBooks(vm.mmu), []);
    // What all pages obsolete does not spare.
    vm.memslot({ id: 1, gpa: 0xd0000000, size: 0x1000, flags: 0, userspaceAddr: HOST + 0x1000000 });
    vm.memslot({ id: 1, gpa: 0xd0000000, size: 0, flags: 0, userspaceAddr: 0 });
    vm.access(0, "read", 0x1000, 8);
    assertEquals(vm.vcpus[0].mmu.shadow!.previousRoots.map(({ page }) => page), [-1, -1, -1]);
    assertEquals(auditBooks(vm.mmu), []);
  }
});

for (const [kernel, entries] of [["linux_4_10_npt_shadow", 1], ["linux_6_1_npt_shadow", 0]] as const) {
  Deno.test(`a write to a table of level 1 that is emulated sets ${entries} entries anew on ${kernel}`, () => {
    const vm = guestOf(PROFILES[kernel]);
    setEntry(vm, 1, 0x10067n);
    vm.access(0, "read", 0x1000, 8);
    run(vm.execution, pteWrite(vm.mmu, vm.vcpus[0].mmu, 0x4008, 8), 0);
    assertEquals(vm.mmu.stats.mmu_pte_updated, entries);
    assertEquals(spteOf(vm, 1).isPresent, entries === 1);
  });
}

for (const [kernel, userBit] of [["linux_4_10_npt_shadow", 4], ["linux_6_1_npt_shadow", 0]] as const) {
  Deno.test(`a fault of the guest leaves user bit ${userBit} in an entry that is out of date on ${kernel}`, () => {
    const vm = guestOf(PROFILES[kernel]);
    setEntry(vm, 1, 0x10065n);
    setEntry(vm, 2, 0x4067n);
    vm.access(0, "read", 0x1000, 8);
    // The guest takes the page from user mode, and does not flush.
    vm.access(0, "write", 0x2008, 8, 0x10061n);
    assertEquals(vm.mmu.stats.mmu_unsync, 1);
    vm.setUserMode(0, true);
    assertEquals(vm.access(0, "write", 0x1000, 8).faultCode, 7);
    walkShadow(vm.mmu, vm.vcpus[0].mmu, 1);
    assertEquals(vm.vcpus[0].mmu.walk.lo & 4, userBit);
  });
}

/** Two vCPUs; table 5 maps linear pages from 0x200 on, and vCPU 0 writes it as page 1, with a TLB entry for that. */
function twoVcpus(): Vm {
  const vm = guestOf(PROFILES.linux_3_11_shadow);
  vm.createVcpu();
  vm.writeHost(HOST + 0x3008, 0x5067n);
  setEntry(vm, 1, 0x5067n);
  for (const frame of [0x10, 0x11, 0x12]) vm.writeHost(HOST + frame * 4096, BigInt(frame));
  vm.access(0, "write", 0x1000, 8, 0x10067n);
  return vm;
}

Deno.test("a table that begins to be shadowed is write-protected on all vCPUs", () => {
  const vm = twoVcpus();
  assertEquals(vm.access(1, "read", 0x200000, 8).value, 0x10n);
  vm.access(0, "write", 0x1000, 8, 0x11067n);
  vm.invlpg(1, 0x200000);
  assertEquals(vm.access(1, "read", 0x200000, 8).value, 0x11n);
});

Deno.test("a table that is synced is write-protected on all vCPUs again", () => {
  const vm = twoVcpus();
  // Another entry keeps the page from being zapped as worthless.
  vm.writeHost(HOST + 0x5008, 0x12067n);
  for (const gva of [0x200000, 0x201000]) vm.access(1, "read", gva, 8);
  for (const [cr3Loads, frame] of [[1, 0x11], [2, 0x12], [3, 0x10]] as const) {
    vm.access(0, "write", 0x1000, 8, BigInt(frame) << 12n | 0x67n);
    vm.loadCr3(1, 0x1000);
    assertEquals(vm.access(1, "read", 0x200000, 8).value, BigInt(frame), `${cr3Loads} loads of CR3`);
  }
});

Deno.test("a guest with 32-bit addresses does not get beyond 4 GiB", () => {
  const vm = new Vm(PROFILES.linux_3_11_shadow);
  vm.createVcpu();
  assertThrows(() => vm.access(0, "read", 0xfffffffe, 4), RangeError, "this guest has 32-bit addresses");
});
