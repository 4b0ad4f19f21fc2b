/**
 * The contract of an invalidation strategy, whole: how KVM forgets the MMIO sptes it has cached when guest memory
 * changes. A strategy is one small object; nothing else in the lab has to change for a new one.
 *
 * Pre- and post-conditions are part of the contract: see each method.
 *
 * @module
 */
import type { ChangeKind, Gfn, MemslotsView, UpdatePhase } from "@mmu-lab/memslots";
import type { Lock, Protocol, StateHasher, WorkCounters } from "@mmu-lab/protocol";

/** The number that an MMIO spte stores: a non-negative integer that fits the layout's generation field. */
export type Generation = number;

/** A memslot update as a strategy sees it. */
export interface MemslotChange {
  /** What kind of change; never `none`. */
  readonly kind: Exclude<ChangeKind, "none">;
  /** Address space of the slot. */
  readonly asId: number;
  /** First guest frame that changes hands: of the new slot, or of the old one for a delete. */
  readonly baseGfn: Gfn;
  /** Size of the slot in pages. */
  readonly npages: number;
  /** The memslot generation that the set has, or will have, when this publication is complete. */
  readonly generation: number;
  /** Whether this publication is the intermediate one of a delete or move, with the slot marked invalid. */
  readonly intermediate: boolean;
}

/**
 * What a strategy may do to the shadow page tables. Unless it says otherwise, a method must be called with
 * {@linkcode MmuControl.lock} held, and throws `LockNotHeldError` if it is not.
 */
export interface MmuControl {
  /** `mmu_lock`, which protects shadow pages and sptes. */
  readonly lock: Lock;
  /** Work done so far; read it to measure, the methods below add to it. */
  readonly counters: WorkCounters;
  /** How many shadow pages hold at least one MMIO spte. May be read without the lock. */
  readonly pagesWithMmio: number;
  /**
   * Zaps whole shadow pages, in a walk over all of them: those that ever held an MMIO spte (`mmio_cached`), or every
   * page. Flushes TLBs if a page went (`kvm_mmu_zap_mmio_sptes` of 3.10; facts sheet 1.2). O(shadow pages), and 512
   * entries for each page that goes.
   */
  zapMmioPages(filter: "mmio-cached" | "every-page"): void;
  /**
   * The walk over the pages that ever held an MMIO spte with lock breaks: it gives the lock up after each page that goes, and
   * then begins anew (`__kvm_mmu_zap_all` of 5.1 to 5.3). vCPUs that go on making such pages can keep it from ever ending:
   * bug B06. Takes and releases the lock itself: call it without.
   */
  walkMmioPages(): Protocol<void>;
  /**
   * Clears stale MMIO sptes in a bounded piece of the shadow pages and remembers where it stopped; the next call goes
   * on from there, in the order of page numbers, and round. No TLB flush is needed: the processor does not cache an
   * MMIO spte (facts sheet 7.3).
   *
   * @param maxPages Page numbers to go through at most, in use or not; at least 1.
   * @param isStale Tells by the stored generation, and the address space that the entry is for, whether it goes.
   * @returns Whether this call reached the end of the pages, so that a pass is complete.
   */
  sweepMmioSptes(maxPages: number, isStale: (stored: Generation, asId: number) => boolean): boolean;
  /** How many page numbers a whole pass of {@linkcode MmuControl.sweepMmioSptes} goes through. Needs no lock. */
  readonly sweepLength: number;
  /**
   * Makes every shadow page obsolete, asks all vCPUs to reload their roots, and zaps the obsolete pages in batches with
   * lock breaks (`kvm_mmu_invalidate_zap_all_pages`; facts sheet 6.7). Takes and releases the lock itself: call it
   * without.
   */
  zapAll(): Protocol<void>;
}

/** How KVM forgets MMIO sptes. */
export interface InvalidationStrategy {
  /** A short name for tables and options. */
  readonly name: string;
  /** The largest generation it will ever stamp, so that a machine can check it against the layout. */
  readonly maxGeneration: Generation;
  /**
   * The generation to store in an MMIO spte for `gfn` that is made now. Called under `mmu_lock`, late: the decision
   * that the gfn has no slot is older (facts sheet 3.4). Must not change anything.
   */
  stamp(view: MemslotsView, gfn: Gfn): Generation;
  /**
   * Whether an MMIO spte that carries `stored` may still be trusted. Called without locks, at any moment, also in the
   * middle of an update. Must not change anything. Saying no is always safe and costs a slow fault.
   */
  isCurrent(stored: Generation, view: MemslotsView, gfn: Gfn): boolean;
  /**
   * Called by the updater at each phase of each memslot update, with no lock of the MMU held. When the update's last
   * phase is over, no MMIO spte that the change made wrong may be current.
   */
  onMemslotUpdate?(phase: UpdatePhase, change: MemslotChange, mmu: MmuControl): Protocol<void>;
  /**
   * Background work, if any, one bounded piece: takes and releases the lock itself. A machine calls it between other
   * work, as often or seldom as it likes.
   */
  sweep?(mmu: MmuControl): Protocol<void>;
  /**
   * Folds whatever the strategy remembers into a hash. A strategy that remembers anything must have it: an exhaustive
   * check tells states apart by it, and may pass over schedules where it is missing.
   */
  hashInto?(hasher: StateHasher): void;
}
