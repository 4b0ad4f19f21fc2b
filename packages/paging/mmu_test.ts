import { ERAS, largePageLimits, type Memslot, Memslots } from "@mmu-lab/memslots";
import { none } from "@mmu-lab/invalidation";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { defaultMaxPages, Mmu } from "./mmu.ts";
import { TinyMmu } from "./testdata/tiny_mmu.ts";
import { FAULT_RULES_3_11 } from "./fault/fault_rules.ts";

Deno.test("Mmu throws when the strategy stamps numbers that the layout cannot store", () => {
  const strategy = { ...none(), name: "wide", maxGeneration: 0xfffff };
  assertThrows(
    () => new TinyMmu({ strategy }),
    RangeError,
    "Cannot use strategy 'wide' with layout linux_3_11_ept: it stamps up to 0xfffff, the layout stores up to 0x7ffff",
  );
});

Deno.test("Mmu.setSpte() keeps the MMIO counts, and remembers that a page held an MMIO spte", () => {
  const { mmu } = new TinyMmu();
  const page = mmu.vcpus[0].root;
  const { layout, pool } = mmu;
  const mmio = [layout.encodeLo(5, 0, 1), layout.encodeHi(5, 0, 1)] as const;
  mmu.setSpte(page, 5, ...mmio);
  mmu.setSpte(page, 6, ...mmio);
  assertEquals([pool.mmioCount[page], mmu.pagesWithMmio], [2, 1]);
  mmu.setSpte(page, 5, ...mmio);
  mmu.setSpte(page, 6, 0, 0);
  assertEquals([pool.mmioCount[page], mmu.pagesWithMmio], [1, 1]);
  mmu.setSpte(page, 5, 0x1077, 0);
  assertEquals([pool.mmioCount[page], mmu.pagesWithMmio], [0, 0]);
  assert(pool.mmioCached(page));
});

Deno.test("Mmu.isPresent() says no to MMIO sptes, present bit or not", () => {
  const { mmu } = new TinyMmu();
  assert(mmu.isPresent(0x1077, 0));
  assert(!mmu.isPresent(0, 0));
  assert(!mmu.isPresent(mmu.layout.encodeLo(5, 0, 1), mmu.layout.encodeHi(5, 0, 1)));
});

Deno.test("Mmu asks all vCPUs to flush, or to reload", () => {
  const tiny = new TinyMmu();
  const second = tiny.addVcpu();
  tiny.mmu.flushRemoteTlbs();
  assertEquals([tiny.vcpu.flushRequested, second.flushRequested, second.reloadRequested], [true, true, false]);
  tiny.mmu.reloadRemoteMmus();
  assertEquals([tiny.vcpu.reloadRequested, second.reloadRequested], [true, true]);
});

Deno.test("Mmu.emulator throws until there is one", () => {
  const tiny = new TinyMmu();
  const { mmu } = tiny;
  const bare = new Mmu({
    execution: tiny.execution,
    memslots: [new Memslots(0, ERAS.G1.memslots)],
    layout: mmu.layout,
    bits: mmu.bits,
    strategy: mmu.strategy,
    cacheRule: { generation: "none", skipWhileInFlux: false },
    faultRules: FAULT_RULES_3_11,
    rootLevel: 4,
    maxPageLevel: 3,
    host: mmu.host,
    trace: mmu.trace,
  });
  assertThrows(() => bare.emulator, Error, "Cannot emulate: the MMU has no emulator");
});

Deno.test("defaultMaxPages() is two percent of the memory, and at least 64 pages", () => {
  const slot = (npages: number): Memslot => ({
    asId: 0,
    id: 0,
    baseGfn: 0,
    npages,
    flags: 0,
    userspaceAddr: 0,
    invalid: false,
    dirtyBitmap: null,
    largePageLimits: largePageLimits(0, npages, 0),
  });
  assertEquals(defaultMaxPages([]), 64);
  assertEquals(defaultMaxPages([slot(3200)]), 64);
  assertEquals(defaultMaxPages([slot(100_000), slot(100_049)]), 4000);
});
