import { Work, WorkCounters } from "@mmu-lab/protocol";
import { assert, assertEquals } from "@std/assert";
import { PFERR_FETCH, PFERR_IMPLICIT_ACCESS, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { A, D, GuestWorld, type GuestWorldOptions, NX, PS, PWU, ROOT } from "../testdata/guest_world.ts";
import { FlatTables } from "./flat_tables.ts";
import { PAGING_32BIT, PAGING_5_LEVEL, PAGING_OFF, PAGING_PAE } from "./format.ts";
import { WALK_RULES_3_11 } from "./walk_rules.ts";

const USED = PWU | A | D;
const LEAF = 0x12345000n | USED;

function long(...bits: bigint[]): GuestWorld {
  return new GuestWorld().link(...(bits.length > 0 ? bits : [USED, USED, USED, LEAF]));
}

Deno.test("walkAddr() finds a page of 4 levels and leaves the way to it", () => {
  const world = long(PWU, USED & ~2n, USED, LEAF);
  assertEquals(world.outcome(PFERR_USER), "gfn 12345 level 1 access 5");
  const { walker, mmu } = world;
  const { format } = mmu.role;
  assertEquals([walker.maxLevel, walker.level], [4, 1]);
  assertEquals([4, 3, 2, 1].map((level) => walker.tableGfn(level)), [ROOT, ROOT + 1, ROOT + 2, ROOT + 3]);
  assertEquals(
    [4, 3, 2, 1].map((level) => walker.pteGpa(level, format) % 4096),
    [4 * 8, 3 * 8, 2 * 8, 1 * 8],
  );
  assertEquals([4, 3, 2, 1].map((level) => walker.ptAccess(level, format)), [7, 7, 5, 5]);
  assertEquals([walker.pteLo(1), walker.pteHi(1)], [0x12345067, 0]);
  assertEquals(world.counters.counts[Work.gptesRead], 4);
});

Deno.test("walkAddr() keeps all bits of a frame and of a 57-bit address", () => {
  const world = new GuestWorld({ paging: { format: PAGING_5_LEVEL, maxphyaddr: 52 } });
  world.link(USED, USED, USED, USED, 0xfffff_ffff_f000n | USED);
  assertEquals(world.outcome(0), "gfn ffffffffff level 1 access 7");
  assertEquals(world.walker.maxLevel, 5);
});

for (
  const [name, bits, outcome] of [
    ["2 MiB", [USED, USED, 0x4000_0000n | USED | PS], "gfn 40001 level 2 access 7"],
    ["1 GiB", [USED, 0x1_0000_0000n | USED | PS], "gfn 100401 level 3 access 7"],
    ["2 MiB with a reserved bit", [USED, USED, 0x4000_2000n | USED | PS], "page-fault 9"],
    ["page-size bit at level 4", [USED | PS], "page-fault 9"],
    ["reserved address bit", [USED, USED | (1n << 46n)], "page-fault 9"],
    ["not present", [USED, USED & ~1n], "page-fault 0"],
  ] as [string, bigint[], string][]
) {
  Deno.test(`walkAddr() in 4 levels: ${name}`, () => assertEquals(long(...bits).outcome(0), outcome));
}

for (
  const [name, paging, pde, outcome] of [
    ["4 MiB", { cr4Pse: true }, 0x1040_0000n | USED | PS, "gfn 10401 level 2 access 7"],
    ["4 MiB above 4 GiB", { cr4Pse: true, pse36: true }, 0x1041_e000n | USED | PS, "gfn f10401 level 2 access 7"],
    ["4 MiB with PSE-36 bits, where there is none", { cr4Pse: true }, 0x1041_e000n | USED | PS, "page-fault 9"],
  ] as const
) {
  Deno.test(`walkAddr() in 32-bit tables: ${name}`, () => {
    const world = new GuestWorld({ paging: { format: PAGING_32BIT, ...paging } }).link(pde);
    assertEquals(world.outcome(0), outcome);
  });
}

Deno.test("walkAddr() in 32-bit tables ignores the page-size bit without CR4.PSE", () => {
  const world = new GuestWorld({ paging: { format: PAGING_32BIT } });
  world.link(USED, LEAF);
  world.set(2, world.get(2) | PS);
  assertEquals(world.outcome(0), "gfn 12345 level 1 access 7");
  assertEquals(world.walker.pteGpa(1, PAGING_32BIT), (ROOT + 1) * 4096 + world.indexOf(1) * 4);
});

Deno.test("walkAddr() in PAE begins at the PDPTE that the processor keeps", () => {
  const world = new GuestWorld({ paging: { format: PAGING_PAE }, traced: true }).link(USED, LEAF);
  assertEquals(world.outcome(PFERR_WRITE), "page-fault 2");
  assertEquals(world.counters.counts[Work.gptesRead], 0);
  // The address is in the fourth GiB: ADDRESS is cut to 32 bits.
  world.mmu.pdptrs.set([0, 0, 0, 0, 0, 0, (ROOT << 12) | 1, 0]);
  assertEquals(world.outcome(PFERR_WRITE), "gfn 12345 level 1 access 7");
  assertEquals([world.walker.maxLevel, world.walker.tableGfn(2)], [2, ROOT]);
  assertEquals(world.events.filter((event) => event.endsWith("level 3")), [
    "kvm_mmu_paging_element: pte 0 level 3",
    "kvm_mmu_paging_element: pte 10001 level 3",
  ]);
});

Deno.test("walkAddr() with paging off allows all", () => {
  const world = new GuestWorld({ paging: { format: PAGING_OFF } });
  assertEquals(world.outcome(PFERR_WRITE), `gfn ${(0xc040_1234 >>> 12).toString(16)} level 1 access 7`);
  assertEquals([world.walker.maxLevel, world.counters.counts[Work.gptesRead]], [0, 0]);
});

const PERMISSIONS: [string, GuestWorldOptions["paging"], bigint[], number, string][] = [
  ["user page, read by a user", {}, [USED, USED, USED, LEAF], PFERR_USER, "gfn 12345 level 1 access 7"],
  ["supervisor table, read by a user", {}, [USED, USED & ~4n, USED, LEAF], PFERR_USER, "page-fault 5"],
  ["read-only table, write", {}, [USED & ~2n, USED, USED, LEAF], PFERR_WRITE, "page-fault 3"],
  ["the same without WP", { cr0Wp: false }, [USED & ~2n, USED, USED, LEAF], PFERR_WRITE, "gfn 12345 level 1 access 5"],
  ["NX in a table, fetch", {}, [USED | NX, USED, USED, LEAF], PFERR_FETCH, "page-fault 11"],
  ["NX where it is off", { eferNx: false }, [USED, USED, USED, LEAF | NX], PFERR_FETCH, "page-fault 9"],
  ["SMEP", { cr4Smep: true }, [USED, USED, USED, LEAF], PFERR_FETCH, "page-fault 11"],
  ["SMAP", { cr4Smap: true }, [USED, USED, USED, LEAF], 0, "page-fault 1"],
];
for (const [name, paging, bits, access, outcome] of PERMISSIONS) {
  Deno.test(`walkAddr() permits by role: ${name}`, () => {
    assertEquals(new GuestWorld({ paging: paging! }).link(...bits).outcome(access), outcome);
  });
}

Deno.test("walkAddr() with SMAP heeds EFLAGS.AC, but not for an implicit access", () => {
  const world = new GuestWorld({ paging: { cr4Smap: true } }).link(USED, USED, USED, LEAF);
  world.mmu.rflagsAc = true;
  assert(world.walk(PFERR_WRITE));
  assertEquals(world.outcome(PFERR_WRITE + PFERR_IMPLICIT_ACCESS), "page-fault 3");
});

Deno.test("walkAddr() asks PKRU for the key of the leaf, and says so in the error code", () => {
  const key = 5n;
  const world = new GuestWorld({ paging: { cr4Pke: true }, traced: true });
  world.link(USED | (3n << 59n), USED, USED, LEAF | (key << 59n));
  assert(world.walk(PFERR_USER | PFERR_WRITE));
  world.mmu.pkru = 2 << (2 * 5);
  assertEquals(world.outcome(PFERR_USER), "gfn 12345 level 1 access 7");
  assertEquals(world.outcome(PFERR_USER | PFERR_WRITE), "page-fault 27");
  assertEquals(world.events.at(-1), "kvm_mmu_walker_error: pferr 27 P|W|U|0x20");
  world.mmu.pkru = 1 << (2 * 5);
  assertEquals(world.outcome(PFERR_USER), "page-fault 25");
  assertEquals(world.outcome(PFERR_USER | PFERR_FETCH), "gfn 12345 level 1 access 7");
});

Deno.test("walkAddr() sets accessed bits from the root down, the dirty bit on a write, and emits what the kernel does", () => {
  const world = new GuestWorld({ traced: true }).link(PWU, PWU | A, PWU, 0x12345000n | PWU);
  assertEquals(world.outcome(0), "gfn 12345 level 1 access 5");
  const rw = 0x12345000n | PWU | A;
  assertEquals(world.get(1), rw);
  assert(world.walk(PFERR_WRITE));
  assertEquals(world.walker.pteAccess, 7);
  assertEquals([world.get(4), world.get(1)], [BigInt(ROOT + 1) << 12n | PWU | A, rw | D]);
  assertEquals(world.events, [
    "kvm_mmu_pagetable_walk: addr 50200c0401234 pferr 0 ",
    "kvm_mmu_paging_element: pte 11007 level 4",
    "kvm_mmu_paging_element: pte 12027 level 3",
    "kvm_mmu_paging_element: pte 13007 level 2",
    "kvm_mmu_paging_element: pte 12345007 level 1",
    "kvm_mmu_set_accessed_bit: gpa 10020",
    "kvm_mmu_set_accessed_bit: gpa 12010",
    "kvm_mmu_set_accessed_bit: gpa 13008",
    "kvm_mmu_pagetable_walk: addr 50200c0401234 pferr 2 W",
    "kvm_mmu_paging_element: pte 11027 level 4",
    "kvm_mmu_paging_element: pte 12027 level 3",
    "kvm_mmu_paging_element: pte 13027 level 2",
    "kvm_mmu_paging_element: pte 12345027 level 1",
    "kvm_mmu_set_dirty_bit: gpa 13008",
  ]);
  assertEquals([...world.memory.dirty.slice(ROOT, ROOT + 5)], [1, 0, 1, 1, 0]);
});

Deno.test("walkAddr() emits the error of a fault, whose bits nobody sets in the tables", () => {
  const world = new GuestWorld({ traced: true }).link(PWU, PWU, PWU, 0x12345000n | (PWU & ~4n));
  assertEquals(world.outcome(PFERR_USER | PFERR_WRITE), "page-fault 7");
  assertEquals(world.events.at(-1), "kvm_mmu_walker_error: pferr 7 P|W|U");
  assertEquals(world.get(4) & A, 0n);
  const { fault } = world.walker;
  assertEquals([fault.addressLo, fault.addressHi, fault.nested], [0xc0401234 | 0, 0x50200, false]);
});

/** Memory in which another CPU writes an entry just before the next compare-and-exchange. */
class RacyTables extends FlatTables {
  before: (() => void) | undefined;

  override compareExchange8(...args: Parameters<FlatTables["compareExchange8"]>): number {
    const { before } = this;
    this.before = undefined;
    before?.();
    return super.compareExchange8(...args);
  }
}

Deno.test("walkAddr() begins again where an entry has changed before its accessed bit is set", () => {
  const memory = new RacyTables(64);
  const world = new GuestWorld({ memory, traced: true }).link(USED, USED, PWU, LEAF);
  memory.before = () => world.set(2, 0x2000_0000n | PWU | PS);
  assertEquals(world.outcome(PFERR_USER), "gfn 20001 level 2 access 5");
  assertEquals(world.get(2), 0x2000_0000n | PWU | PS | A);
  assertEquals(world.counters.counts[Work.gptesRead], 4 + 3);
  // The kernel says once that it walks.
  assertEquals(world.events.filter((event) => event.startsWith("kvm_mmu_pagetable_walk")).length, 1);
});

/** Memory of which something fails. */
class FailingTables extends FlatTables {
  writes = 0;
  writable = true;
  override isWritable(): boolean {
    return this.writable;
  }
  override compareExchange8(...args: Parameters<FlatTables["compareExchange8"]>): number {
    return this.writes-- > 0 ? super.compareExchange8(...args) : -1;
  }
}

Deno.test("walkAddr() takes memory that cannot be read or written for a page that is not present", () => {
  const unreadable = long();
  unreadable.set(3, 0x3fff_f000n | USED);
  assertEquals(unreadable.outcome(PFERR_USER | PFERR_WRITE), "page-fault 6");
  assertEquals(unreadable.counters.counts[Work.gptesRead], 2);
  const memory = new FailingTables(64);
  const unwritable = new GuestWorld({ memory }).link(PWU, PWU, PWU, 0x12345000n | PWU);
  memory.writes = 2;
  assertEquals(unwritable.outcome(PFERR_USER), "page-fault 4");
});

Deno.test("walkAddr() and tables in read-only memory: 3.11 cannot read them, later kernels leave their bits as they are", () => {
  const memory = new FailingTables(64);
  memory.writable = false;
  const entries = [PWU, PWU, PWU, 0x12345000n | PWU];
  assertEquals(new GuestWorld({ memory }).link(...entries).outcome(PFERR_WRITE), "gfn 12345 level 1 access 7");
  const old = new GuestWorld({ memory, rules: WALK_RULES_3_11 }).link(...entries);
  assertEquals(old.outcome(PFERR_WRITE), "page-fault 2");
  assertEquals(old.get(1), 0x12345000n | PWU);
});

Deno.test("walkAddr() counts for the counters that it is given", () => {
  const counters = new WorkCounters();
  const world = new GuestWorld({ counters }).link(USED, USED, USED, LEAF);
  world.walk(0);
  world.walk(0);
  assertEquals(counters.counts[Work.gptesRead], 8);
});
