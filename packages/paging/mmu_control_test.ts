import { LockNotHeldError, Work } from "@mmu-lab/protocol";
import { assertEquals, assertThrows } from "@std/assert";
import { auditBooks } from "./books.ts";
import { mmuControl } from "./mmu_control.ts";
import { isInvalid } from "./pages/role.ts";
import { TinyMmu } from "./testdata/tiny_mmu.ts";

/** RAM in one table, MMIO sptes in `tables` others. */
function populated(tables: number): TinyMmu {
  const tiny = new TinyMmu({ accessedDirty: false });
  tiny.mmu.maxPages = 1000;
  tiny.slot();
  tiny.fault(3);
  for (let i = 1; i <= tables; i++) tiny.fault(i * 512 + i);
  return tiny;
}

Deno.test("mmuControl() asserts the lock for a walk and a sweep", () => {
  const control = mmuControl(populated(1).mmu);
  assertThrows(() => control.zapMmioPages("every-page"), LockNotHeldError, "walk all shadow pages");
  assertThrows(() => control.sweepMmioSptes(1, () => true), LockNotHeldError, "sweep MMIO sptes");
});

Deno.test("MmuControl.zapMmioPages() zaps pages that ever held an MMIO spte, and no other", () => {
  const tiny = populated(4);
  const { mmu } = tiny;
  const control = mmuControl(mmu);
  // One MMIO spte has gone since: the page is zapped all the same (B28).
  const { page, index } = tiny.entry(512 + 1);
  mmu.setSpte(page, index, 0, 0);
  const visited = mmu.counters.counts[Work.pagesVisited];
  tiny.locked(() => control.zapMmioPages("mmio-cached"));
  assertEquals(mmu.counters.counts[Work.pagesVisited] - visited, 8);
  assertEquals(mmu.counters.counts[Work.pagesZapped], 4);
  assertEquals(control.pagesWithMmio, 0);
  assertEquals(tiny.mapped(3), "1:3");
  assertEquals(auditBooks(mmu), []);
});

Deno.test("MmuControl.zapMmioPages() of every page zaps every page, and roots in use only once", () => {
  const tiny = populated(4);
  const { mmu } = tiny;
  const control = mmuControl(mmu);
  tiny.locked(() => control.zapMmioPages("every-page"));
  assertEquals(mmu.pool.used, 1);
  assertEquals(isInvalid(mmu.pool.role[tiny.vcpu.root]), true);
  const zapped = mmu.counters.counts[Work.pagesZapped];
  tiny.locked(() => control.zapMmioPages("every-page"));
  assertEquals(mmu.counters.counts[Work.pagesZapped], zapped);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("MmuControl.sweepMmioSptes() clears stale entries and leaves the rest, a piece at a time, and round", () => {
  const tiny = populated(6);
  const { mmu } = tiny;
  const control = mmuControl(mmu);
  assertEquals(control.sweepLength, 10);
  const stale = mmu.layout.generationOf(tiny.entry(513).lo, tiny.entry(513).hi);
  tiny.bump();
  tiny.fault(3 * 512 + 3);
  const passes: boolean[] = [];
  tiny.locked(() => {
    for (let i = 0; i < 4; i++) passes.push(control.sweepMmioSptes(3, (stored) => stored === stale));
  });
  assertEquals(passes, [false, false, false, true]);
  assertEquals([1, 2, 3, 4, 5, 6].map((i) => tiny.mapped(i * 512 + i)), [
    "none",
    "none",
    "mmio",
    "none",
    "none",
    "none",
  ]);
  assertEquals(control.pagesWithMmio, 1);
  assertEquals(mmu.counters.counts[Work.mmioSptesZapped], 5);
  assertEquals(tiny.mapped(3), "1:3");
  tiny.locked(() => assertEquals(control.sweepMmioSptes(100, () => true), true));
  assertEquals(control.pagesWithMmio, 0);
  assertEquals(auditBooks(mmu), []);
});

Deno.test("MmuControl.sweepMmioSptes() asks for no TLB flush", () => {
  const tiny = populated(3);
  tiny.vcpu.flushRequested = false;
  tiny.locked(() => mmuControl(tiny.mmu).sweepMmioSptes(100, () => true));
  assertEquals(tiny.vcpu.flushRequested, false);
});

Deno.test("MmuControl.zapAll() takes the lock itself", () => {
  const tiny = populated(3);
  tiny.run(mmuControl(tiny.mmu).zapAll());
  assertEquals(tiny.mmu.pool.used, 1);
  assertEquals(tiny.mmu.lock.owner, -1);
});
