import { Access, PFERR_GUEST_FINAL, PFERR_GUEST_PAGE } from "@mmu-lab/paging";
import { Work } from "@mmu-lab/protocol";
import { formatLanes } from "@mmu-lab/spte-encoding";
import { MMU_PAGE_FAULT, RingBuffer } from "@mmu-lab/tracing";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FRAME } from "../paging/testdata/tiny_mmu.ts";
import { SVM_EXIT_IOIO, SVM_EXIT_NPF } from "./exit_codes.ts";
import type { NptKernel } from "./exit_handlers.ts";
import { nptBackend } from "./npt_backend.ts";
import { NPT_ACCESSED, NPT_DIRTY } from "./npt_bits.ts";
import { Npt, PROCESSOR } from "./testdata/npt.ts";

const GVA = 0x3000;
const GFN = GVA / 4096;
/** A cache that an update empties, so that the generation of sptes matters. */
const CACHE_3_17 = { generation: "full", skipWhileInFlux: false } as const;

/** An NPF of the guest's own access, with these low bits of EXITINFO1. */
function npf(low: number, gpa = GVA) {
  return { reason: SVM_EXIT_NPF, info1: PFERR_GUEST_FINAL + low, info2: gpa, gpa };
}

Deno.test("nptBackend() exits with a nested page fault where nothing is mapped, and KVM maps the page", () => {
  const npt = new Npt();
  npt.slot();
  assertEquals(npt.translate(GVA), -1);
  assertEquals(npt.vcpu.exit, npf(0b100));
  assertEquals(npt.handle(), 1);
  assertEquals(npt.emulated, []);
  assertEquals(npt.translate(GVA), FRAME + GFN);
  const { lo, hi } = npt.entry(GFN);
  assertEquals(formatLanes(lo, hi), "0x40003c27");
});

Deno.test("nptBackend() says what the access was", () => {
  const npt = new Npt();
  npt.translate(GVA, Access.WRITE);
  assertEquals(npt.vcpu.exit, npf(0b110));
  npt.translate(GVA, Access.FETCH);
  assertEquals(npt.vcpu.exit, npf(0b10100));
});

Deno.test("nptBackend() walks the guest's own tables first, as writes", () => {
  const npt = new Npt();
  npt.slot();
  const vcpu = npt.mmu.addVcpu({ levels: 2, entryGpa: (_gva, step) => 0x5008 + step * 8, translate: (gva) => gva });
  vcpu.root = npt.vcpu.root;
  assertEquals(npt.translate(GVA, Access.READ, vcpu), -1);
  assertEquals(vcpu.exit, { reason: SVM_EXIT_NPF, info1: PFERR_GUEST_PAGE + 0b110, info2: 0x5008, gpa: 0x5008 });
  npt.handle(vcpu);
  npt.translate(GVA, Access.READ, vcpu);
  assertEquals(npt.entry(5).lo & NPT_DIRTY, NPT_DIRTY);
});

Deno.test("nptBackend() sets accessed and dirty bits as the processor does", () => {
  const npt = new Npt();
  npt.slot();
  npt.touch(GVA + 0x1000);
  const bits = () => npt.entry(GFN).lo & (NPT_ACCESSED | NPT_DIRTY);
  // The neighbour was prefetched: neither accessed nor dirty.
  assertEquals(bits(), 0);
  npt.translate(GVA);
  assertEquals(bits(), NPT_ACCESSED);
  assertEquals(npt.vcpu.tlb.lookup(GFN, false), FRAME + GFN);
  assertEquals(npt.vcpu.tlb.lookup(GFN, true), -1);
  npt.translate(GVA, Access.WRITE);
  assertEquals(bits(), NPT_ACCESSED | NPT_DIRTY);
  assertEquals(npt.vcpu.tlb.lookup(GFN, true), FRAME + GFN);
});

Deno.test("nptBackend() of 4.10 sets the dirty bit itself in what may be written", () => {
  const bitsOf = (kernel: NptKernel, flags: number) => {
    const npt = new Npt({ kernel });
    npt.slot({ flags });
    npt.touch(GVA + 0x1000);
    return [npt.entry(GFN), npt.entry(GFN + 1)].map(({ lo }) => (lo & 0xfff).toString(16));
  };
  assertEquals(bitsOf("3.11", 0), ["c07", "c27"]);
  // As recorded: 0x132e0dc47 prefetched, 0x132e0fc67 for the fault.
  assertEquals(bitsOf("4.10", 0), ["c47", "c67"]);
  assertEquals(bitsOf("4.10", 2), ["0", "25"]);
});

Deno.test("handleNestedPageFault() of 4.10 gives the MMU all of EXITINFO1, of 3.11 the low half", () => {
  const codeOf = (kernel: NptKernel) => {
    const trace = new RingBuffer(100);
    const npt = new Npt({ kernel, trace });
    npt.slot();
    npt.touch(GVA);
    const record = [...trace].find(({ event }) => event === MMU_PAGE_FAULT);
    return record!.args[2];
  };
  assertEquals(codeOf("3.11"), 4);
  assertEquals(codeOf("4.10"), PFERR_GUEST_FINAL + 4);
});

Deno.test("nptBackend() faults for protection with the present bit, and KVM emulates a write to read-only memory", () => {
  const npt = new Npt();
  npt.slot({ flags: 2 });
  npt.touch(GVA);
  assertEquals(npt.translate(GVA), FRAME + GFN);
  assertEquals(npt.translate(GVA, Access.WRITE), -1);
  assertEquals(npt.vcpu.exit, npf(0b111));
  npt.emulatorReturns = "do-mmio";
  assertEquals(npt.handle(), 0);
  assertEquals(npt.emulated, [GVA]);
});

Deno.test("nptBackend() honours user, write and no-execute bits of every level", () => {
  const npt = new Npt();
  npt.slot();
  npt.touch(GVA);
  const { page, index, lo, hi } = npt.entry(GFN);
  const { pool } = npt.mmu;
  const refused = (access: number) => npt.translate(GVA, access) < 0 && npt.vcpu.exit.info1 % 2 === 1;
  for (const [leafLo, leafHi] of [[lo & ~4, hi], [lo, hi | 1 << 31]]) {
    pool.set(page, index, leafLo, leafHi);
    const user = leafLo === lo;
    assertEquals([Access.READ, Access.WRITE, Access.FETCH].map(refused), [!user, !user, true]);
  }
  pool.set(page, index, lo, hi);
  const parent = pool.parent[page];
  const [above, at] = [Math.floor(parent / 512), parent % 512];
  pool.set(above, at, pool.lo(above, at) & ~2, pool.hi(above, at));
  assertEquals([Access.READ, Access.WRITE, Access.FETCH].map(refused), [false, true, false]);
});

Deno.test("nptBackend() faults on an MMIO spte for its reserved bits, and nothing caches it", () => {
  for (const reservedFaultIsPresent of [true, false]) {
    const npt = new Npt({ hardware: { reservedFaultIsPresent } });
    npt.touch(GVA);
    assertEquals(npt.mapped(GFN), "mmio");
    for (const [access, bits] of [[Access.READ, 0], [Access.WRITE, 2], [Access.FETCH, 16]]) {
      assertEquals(npt.translate(GVA, access), -1);
      assertEquals(npt.vcpu.exit, npf(0b1100 | bits | (reservedFaultIsPresent ? 1 : 0)));
    }
    assertEquals(npt.vcpu.tlb.lookup(GFN, false), -1);
  }
});

Deno.test("handleNestedPageFault() emulates a current MMIO spte, and counts it in mmio_exits", () => {
  const npt = new Npt();
  npt.touch(GVA);
  npt.emulated.length = 0;
  npt.translate(GVA, Access.WRITE);
  npt.emulatorReturns = "do-mmio";
  assertEquals(npt.handle(), 0);
  assertEquals(npt.emulated, [GVA]);
  assertEquals(npt.lastRetry, false);
  assertEquals(npt.mmu.stats.mmio_exits, 1);
});

Deno.test("handleNestedPageFault() sends a stale MMIO spte the long way as the access that it was", () => {
  const npt = new Npt({ cacheRule: CACHE_3_17 });
  npt.touch(GVA);
  npt.slot({ flags: 2 });
  npt.emulated.length = 0;
  npt.translate(GVA, Access.WRITE);
  assertEquals(npt.handle(), 1);
  assertEquals(npt.mmu.counters.counts[Work.mmioRefaults], 1);
  // A write to a read-only slot is emulated and leaves no spte; EPT would map the page, not knowing of the write.
  assertEquals(npt.emulated, [GVA]);
  assertEquals(npt.mapped(GFN), "mmio");
});

Deno.test("handleNestedPageFault() fails KVM_RUN on an entry that is neither MMIO nor gone (B23)", () => {
  const npt = new Npt({ cacheRule: CACHE_3_17 });
  npt.touch(GVA);
  npt.slot();
  npt.translate(GVA);
  const { page, index } = npt.entry(GFN);
  npt.mmu.setSpte(page, index, 0x1000027, 0);
  assertEquals(npt.handle(), -1);
});

Deno.test("nptBackend() faults on reserved bits of large pages and above", () => {
  const npt = new Npt({ hardware: { maxPageLevel: 2 } });
  npt.slot();
  npt.touch(GVA);
  const { mmu, vcpu } = npt;
  mmu.pool.set(vcpu.root, 0, mmu.pool.lo(vcpu.root, 0) | 0x80, mmu.pool.hi(vcpu.root, 0));
  assertEquals(npt.translate(GVA), -1);
  assertEquals(vcpu.exit, npf(0b1101));
});

Deno.test("nptBackend() takes bit 12 of a large page for its PAT bit, not for a part of the address", () => {
  const npt = new Npt();
  npt.slot();
  npt.touch(GVA);
  const { pool } = npt.mmu;
  const parent = pool.parent[npt.entry(GFN).page];
  pool.set(Math.floor(parent / 512), parent % 512, 0x400010e7, 0);
  assertEquals(npt.translate(GVA), 0x40000 + GFN);
});

/** What hardware has, what KVM believes of its physical address width, and whether an MMIO spte faults. */
const BELIEFS: [what: string, hardware: Parameters<typeof nptBackend>[0], believed: number, faults: boolean][] = [
  ["both agree", { ...PROCESSOR, maxPhyAddr: 46 }, 46, true],
  ["one bit is the C-bit", { ...PROCESSOR, maxPhyAddr: 43, encryptionBit: 47 }, 43, true],
  ["all bits are key id", { ...PROCESSOR, maxPhyAddr: 46, keyIdBits: 6 }, 46, false],
  ["the only one is the C-bit", { ...PROCESSOR, maxPhyAddr: 51, encryptionBit: 51 }, 51, false],
  ["the hardware has more address bits", { ...PROCESSOR, maxPhyAddr: 52 }, 46, false],
];

for (const [what, hardware, believed, faults] of BELIEFS) {
  Deno.test(`nptBackend() decides by the hardware whether an MMIO spte faults: ${what}`, () => {
    const npt = new Npt({ hardware, believed });
    npt.touch(GVA);
    assertEquals(npt.mapped(GFN), "mmio");
    const frame = npt.translate(GVA);
    if (faults) {
      assertEquals(frame, -1);
      assertEquals(npt.vcpu.exit, npf(0b1101));
    } else {
      // It goes through, to memory that is not the guest's: the address bits of an MMIO spte are its gfn.
      const marked = hardware.maxPhyAddr > believed ? 2 ** 40 - 2 ** (believed - 12) : 0;
      assertEquals(frame, marked + GFN);
      assertEquals(npt.vcpu.tlb.lookup(GFN, false), frame);
    }
  });
}

Deno.test("nptBackend() with 52 address bits on both sides: an MMIO spte is not present, and is made anew each time", () => {
  const npt = new Npt({ hardware: { maxPhyAddr: 52 }, believed: 52 });
  npt.touch(GVA);
  const marked = npt.mmu.counters.counts[Work.mmioSptesMarked];
  assertEquals(npt.translate(GVA), -1);
  assertEquals(npt.vcpu.exit, npf(0b100));
  npt.handle();
  assertEquals(npt.mmu.counters.counts[Work.mmioSptesMarked], marked + 1);
});

Deno.test("nptBackend() leaves the guest for an OUT with the port and the next instruction", () => {
  const { backend, vcpu } = new Npt();
  backend.exitForOut(vcpu, 0x10, 0x1002);
  assertEquals(vcpu.exit, { reason: SVM_EXIT_IOIO, info1: 0x10_0010, info2: 0x1002, gpa: 0 });
});

Deno.test("nptBackend() refuses address bits that make no sense", () => {
  const make = (address: object) => () => nptBackend({ ...PROCESSOR, ...address });
  assertThrows(make({ maxPhyAddr: 53 }), RangeError, "maxPhyAddr 53: expected an integer from 36 to 52");
  assertThrows(make({ encryptionBit: 39 }), RangeError, "encryptionBit 39: expected an integer from 40 to 51");
  assertThrows(make({ keyIdBits: 13 }), RangeError, "keyIdBits 13: expected an integer from 0 to 12");
});

Deno.test("nptBackend() counts every entry that a walk reads", () => {
  const npt = new Npt();
  npt.slot();
  npt.touch(GVA);
  const { counts } = npt.mmu.counters;
  const before = counts[Work.walkReferences];
  assert(npt.translate(GVA) >= 0);
  assertEquals(counts[Work.walkReferences] - before, 4);
});
