import { Work } from "@mmu-lab/protocol";
import { assertEquals } from "@std/assert";
import { auditBooks } from "../books.ts";
import { PFERR_PRESENT, PFERR_WRITE } from "./pferr.ts";
import { SPTE_HOST_WRITABLE, SPTE_MMU_WRITABLE, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { HVA, TinyMmu } from "../testdata/tiny_mmu.ts";

const WRITABLE = SPTE_WRITABLE | SPTE_HOST_WRITABLE | SPTE_MMU_WRITABLE;

Deno.test("tdpPageFault() maps a page of a slot, and the tables on the way", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  assertEquals(tiny.mapped(5), "none");
  assertEquals(tiny.fault(5), 0);
  assertEquals(tiny.mapped(5), "1:5");
  assertEquals(tiny.mmu.counters.counts[Work.pagesAllocated], 4);
  assertEquals(tiny.mmu.stats.pf_fixed, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpPageFault() writes an MMIO spte at level 1 where there is no slot, and asks for emulation", () => {
  const tiny = new TinyMmu({ hugetlb: 2 });
  assertEquals(tiny.fault(0xfee00), 1);
  assertEquals(tiny.mapped(0xfee00), "mmio");
  assertEquals(tiny.entry(0xfee00).level, 1);
  assertEquals(tiny.mmu.pagesWithMmio, 1);
  assertEquals([tiny.vcpu.cache.gfn, tiny.vcpu.cache.access], [0xfee00, 7]);
  assertEquals(tiny.mmu.stats.pf_fixed, 1);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("tdpPageFault() takes a slot that is marked invalid for none", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  const [memslots] = tiny.mmu.memslots;
  memslots.publish(memslots.active.with({ ...memslots.active.byId(0)!, invalid: true }));
  memslots.complete();
  assertEquals(tiny.fault(5), 1);
  assertEquals(tiny.mapped(5), "mmio");
});

Deno.test("tdpPageFault() emulates a write to a read-only slot, and leaves no spte", () => {
  const tiny = new TinyMmu();
  tiny.slot({ flags: 2 });
  assertEquals(tiny.fault(5, PFERR_WRITE), 1);
  assertEquals(tiny.mapped(5), "none");
  assertEquals(tiny.vcpu.cache.gfn, 0);
  assertEquals(tiny.fault(5), 0);
  assertEquals(tiny.entry(5).lo & WRITABLE, 0);
  assertEquals(tiny.fault(5, PFERR_WRITE | PFERR_PRESENT), 1);
  assertEquals(tiny.mapped(5), "1:5");
});

Deno.test("tdpPageFault() maps a page of a writable slot writable, whatever the access was", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(5);
  assertEquals(tiny.entry(5).lo & WRITABLE, WRITABLE);
});

Deno.test("tdpPageFault() refreshes a stale MMIO spte, and replaces it by memory once there is a slot", () => {
  const tiny = new TinyMmu();
  tiny.fault(5);
  const before = tiny.entry(5).lo;
  tiny.bump();
  assertEquals(tiny.fault(5), 1);
  assertEquals(tiny.mapped(5), "mmio");
  assertEquals(tiny.entry(5).lo === before, false);
  tiny.slot();
  assertEquals(tiny.fault(5), 0);
  assertEquals(tiny.mapped(5), "1:5");
  assertEquals(tiny.mmu.pagesWithMmio, 0);
});

/** A slot of 4 GiB that begins at a gfn and host address aligned by 1 GiB. */
const LARGE = { gpa: 0x40000000, size: 2 ** 32 };
const GFN = 0x40000 + 0x12345;

Deno.test("tdpPageFault() maps hugetlbfs pages of 2 MiB and 1 GiB whole", () => {
  for (const [hugetlb, level, first] of [[1, 1, 0x12345], [2, 2, 0x12200], [3, 3, 0]] as const) {
    const tiny = new TinyMmu({ hugetlb });
    tiny.slot(LARGE);
    assertEquals(tiny.fault(GFN), 0);
    assertEquals(tiny.mapped(GFN), `${level}:${first}`);
    assertEquals(tiny.mmu.stats.largepages, level > 1 ? 1 : 0);
    assertEquals(auditBooks(tiny.mmu), []);
  }
});

Deno.test("tdpPageFault() maps no larger than the processor can", () => {
  const tiny = new TinyMmu({ hugetlb: 3, maxPageLevel: 2 });
  tiny.slot(LARGE);
  tiny.fault(GFN);
  assertEquals(tiny.mapped(GFN), `2:${0x12200}`);
});

Deno.test("tdpPageFault() maps a transparent huge page by 2 MiB, after it has looked for it under the lock", () => {
  const tiny = new TinyMmu({ transparentHuge: true });
  tiny.slot(LARGE);
  tiny.fault(GFN);
  assertEquals(tiny.mapped(GFN), `2:${0x12200}`);
  const small = new TinyMmu({ transparentHuge: true, maxPageLevel: 1 });
  small.slot(LARGE);
  small.fault(GFN);
  assertEquals(small.mapped(GFN), `1:${0x12345}`);
});

Deno.test("tdpPageFault() maps 4 KiB where the slot holds only part of the large page", () => {
  for (const options of [{ hugetlb: 2 }, { transparentHuge: true }] as const) {
    const tiny = new TinyMmu(options);
    tiny.slot({ gpa: 0x100000, size: 0x400000, userspaceAddr: HVA + 0x100000 });
    tiny.fault(0x100);
    assertEquals(tiny.mapped(0x100), "1:256");
    tiny.fault(0x200);
    assertEquals(tiny.mapped(0x200), "2:512");
    tiny.fault(0x4ff);
    assertEquals(tiny.mapped(0x4ff), `1:${0x4ff}`);
  }
});

Deno.test("tdpPageFault() maps 4 KiB where dirty pages are logged, and marks the page dirty at once", () => {
  const tiny = new TinyMmu({ hugetlb: 2, transparentHuge: true });
  tiny.slot({ ...LARGE, size: 0x400000, flags: 1 });
  tiny.fault(0x40005);
  assertEquals(tiny.mapped(0x40005), "1:5");
  assertEquals(tiny.mmu.memslots[0].active.byId(0)!.dirtyBitmap![0], 1 << 5);
});

Deno.test("tdpPageFault() replaces a table by a large page, and takes the table's parent away", () => {
  const tiny = new TinyMmu({ hugetlb: 2 });
  // Mapped small while it was logged; the flag goes, and with it the reason.
  tiny.slot({ ...LARGE, size: 0x400000, flags: 1 });
  tiny.fault(0x40005);
  tiny.slot({ ...LARGE, size: 0x400000 });
  tiny.fault(0x40006);
  assertEquals(tiny.mapped(0x40006), "2:0");
  assertEquals(auditBooks(tiny.mmu), []);
});
