/**
 * The inner loops of the model that `reference.c` has in C. They call the model's own code; what is here is the data
 * they work on and the clock around them.
 *
 * @module
 */
import {
  checkMmioSpte,
  directRole,
  GuestWalker,
  levelOf,
  markMmioSpte,
  type Mmu,
  NO_PAGE,
  PFERR_USER,
  type VcpuMmu,
  walkAddr,
  type WalkMmu,
  walkShadow,
} from "@mmu-lab/paging";
import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { Vm } from "@mmu-lab/machine";
import { FIRST_GFN, guestTables } from "../guest_tables.ts";
import { populatedVm, RAM_GPA } from "../populated_vm.ts";
import { generation } from "../strategies/generation.ts";
import type { LoopName, Sizes } from "./ratios.ts";

/** Present, write-back, all rights, accessed and dirty: what maps RAM. */
const RAM_BITS = 0xf77;
const LAST = 511;

/** A loop with its data ready. It measures one repetition, and returns nanoseconds an item. */
export type Loop = () => number;

/** The loops, each over data of its own. */
export function makeLoops(sizes: Sizes): Readonly<Record<LoopName, Loop>> {
  return {
    scan: scan(sizes.scanPages),
    mark_check: markCheck(sizes.markPages, sizes.marks, markAndCheckSptes),
    mark_check_books: markCheck(sizes.markPages, sizes.marks, markAndCheckWithBooks),
    lookup: lookup(sizes.lookupPages, sizes.lookups),
    walk: walk(sizes.walkPages, sizes.walks),
  };
}

/** The hybrid's sweep over all pages: each has one MMIO spte, the last, and it is current. */
function scan(pages: number): Loop {
  const vm = emptyVm();
  const { mmu } = vm;
  const { pool, layout } = mmu;
  const stamp = mmu.strategy.stamp(vm.memslots[0], 0);
  for (let n = 0; n < pages; n++) {
    const page = pool.allocate(n * 512, directRole(1), 0);
    for (let index = 0; index < LAST; index++) {
      const pfn = n * 512 + index;
      pool.set(page, index, addressLo(pfn) | RAM_BITS, addressHi(pfn));
    }
    const gfn = 0xc0000 + n;
    mmu.setSpte(page, LAST, layout.encodeLo(gfn, 0, stamp), layout.encodeHi(gfn, 0, stamp));
  }
  mmu.lock.acquire.take(vm.execution.actor);
  const isStale = (stored: number) => stored !== stamp;
  return () => {
    const start = performance.now();
    vm.control.sweepMmioSptes(pool.length, isStale);
    return ((performance.now() - start) * 1e6) / (pages * 512);
  };
}

/** Marks entries in random order, and checks each as the next access to it would. */
function markCheck(pages: number, count: number, markAndCheck: MarkAndCheck): Loop {
  const vm = emptyVm();
  const { mmu } = vm;
  const { pool } = mmu;
  const vcpu = vm.vcpu(0).mmu;
  const first = pool.length;
  for (let n = 0; n < pages; n++) pool.allocate(0xc0000 + n * 512, directRole(1), 0);
  const random = generator();
  const order = Int32Array.from({ length: count }, () => random() % (pages * 512));
  mmu.lock.acquire.take(vm.execution.actor);
  return () => {
    // As an update would: the next number.
    vm.memslots[0].publish(vm.memslots[0].active);
    vm.memslots[0].complete();
    const start = performance.now();
    const current = markAndCheck(mmu, vcpu, first, order);
    const ns = ((performance.now() - start) * 1e6) / count;
    if (current !== count) throw new Error(`Cannot measure: ${current} of ${count} MMIO sptes are current`);
    return ns;
  };
}

/** Marks and checks the entries of `order`; says how many were current. */
type MarkAndCheck = (mmu: Mmu, vcpu: VcpuMmu, first: number, order: Int32Array) => number;

/** What `markMmioSpte` and `checkMmioSpte` do to the spte: stamp, encode, store; load, test, decode, judge. */
function markAndCheckSptes(mmu: Mmu, vcpu: VcpuMmu, first: number, order: Int32Array): number {
  const { pool, layout, strategy } = mmu;
  const slots = mmu.slotsOf(vcpu);
  let current = 0;
  let stale = 0;
  for (let n = 0; n < order.length; n++) {
    // `stale` is 0: it makes each item wait for the one before, as a CPU's faults do.
    const at = order[n] + stale;
    const page = first + (at >> 9);
    const index = at & 511;
    const gfn = 0xc0000 + at;
    const stamp = strategy.stamp(slots, gfn);
    pool.set(page, index, layout.encodeLo(gfn, 6, stamp), layout.encodeHi(gfn, 6, stamp));
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    stale = layout.isMmio(lo, hi) && strategy.isCurrent(layout.generationOf(lo, hi), slots, gfn) ? 0 : 1;
    current += 1 - stale;
  }
  return current;
}

/** The whole functions: with the lock's owner checked, MMIO sptes counted by page, work counted, tracepoints off. */
function markAndCheckWithBooks(mmu: Mmu, vcpu: VcpuMmu, first: number, order: Int32Array): number {
  const { pool, layout } = mmu;
  let current = 0;
  let stale = 0;
  for (let n = 0; n < order.length; n++) {
    // `stale` is 0: it makes each item wait for the one before, as a CPU's faults do.
    const at = order[n] + stale;
    const page = first + (at >> 9);
    const index = at & 511;
    markMmioSpte(mmu, vcpu, page, index, 0xc0000 + at, 6);
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    stale = layout.isMmio(lo, hi) && checkMmioSpte(mmu, vcpu, lo, hi) ? 0 : 1;
    current += 1 - stale;
  }
  return current;
}

/** Walks four levels for random gfns of RAM. */
function lookup(pages: number, lookups: number): Loop {
  const vm = populatedVm(generation.createVm, { pages, mmio: "newest" });
  const { mmu } = vm;
  const vcpu = vm.vcpu(0).mmu;
  const tables = ramTables(mmu);
  const random = generator();
  const gfns = Int32Array.from({ length: lookups }, () => RAM_GPA / 4096 + (random() % (tables * 512)));
  return () => {
    const start = performance.now();
    const levels = walkAll(mmu, vcpu, gfns);
    const ns = ((performance.now() - start) * 1e6) / lookups;
    if (levels !== lookups) throw new Error("Cannot measure: a walk ended above level 1");
    return ns;
  };
}

function walkAll(mmu: Mmu, vcpu: VcpuMmu, gfns: Int32Array): number {
  const { layout } = mmu;
  const { walk } = vcpu;
  let levels = 0;
  let mmio = 0;
  for (let n = 0; n < gfns.length; n++) {
    // `mmio` is 0: it makes each walk wait for the one before, as a CPU's faults do.
    walkShadow(mmu, vcpu, gfns[n] + mmio);
    mmio = layout.isMmio(walk.lo, walk.hi) ? 1 : 0;
    levels += walk.level;
  }
  return levels;
}

/** Walks four levels of guest tables for reads by user mode of random addresses that are mapped. */
function walk(pages: number, walks: number): Loop {
  const { mmu, mapped } = guestTables(pages);
  const walker = new GuestWalker();
  const random = generator();
  const gfns = Int32Array.from({ length: walks }, () => FIRST_GFN + (random() % (mapped * 512)));
  return () => {
    const start = performance.now();
    const seen = walkGuestTables(mmu, walker, gfns);
    const ns = ((performance.now() - start) * 1e6) / walks;
    if (seen !== walks) throw new Error("Cannot measure: a walk found another page");
    return ns;
  };
}

function walkGuestTables(mmu: WalkMmu, walker: GuestWalker, gfns: Int32Array): number {
  let seen = 0;
  let off = 0;
  for (let n = 0; n < gfns.length; n++) {
    // `off` is 0: it makes each walk wait for the one before, as a CPU's faults do.
    const gfn = gfns[n] + off;
    seen += walkAddr(mmu, walker, gfn << 12, gfn >>> 20, PFERR_USER) ? 1 : 0;
    off = walker.gfn - gfns[n];
  }
  return off === 0 ? seen : -1;
}

function emptyVm(): Vm {
  const vm = generation.createVm({});
  vm.createVcpu();
  return vm;
}

/** The generator of `reference.c`. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

/** How many tables of level 1 map RAM: consecutive pieces of 2 MiB. */
function ramTables(mmu: Mmu): number {
  const { pool } = mmu;
  let tables = 0;
  for (let page = pool.newest; page !== NO_PAGE; page = pool.olderThan(page)) {
    if (levelOf(pool.role[page]) === 1 && pool.mmioCount[page] === 0) tables++;
  }
  return tables;
}
