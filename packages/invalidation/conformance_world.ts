import type { Era, Gfn, MemslotsView } from "@mmu-lab/memslots";
import type { WorkCounters } from "@mmu-lab/protocol";
import type { InvalidationStrategy } from "./strategy.ts";

/**
 * A guest, its memslots and an MMU that uses the strategy under test: all that the conformance suite wants of a world.
 * Operations happen one after another. A world that has MMIO caches beside the sptes must have sound ones, such as that
 * of 3.17, or the suite finds bug B01 instead of the strategy's.
 */
export interface ConformanceWorld {
  /** The strategy under test, as the world uses it. */
  readonly strategy: InvalidationStrategy;
  /** The generation as the guest's vCPU sees it now. */
  readonly view: MemslotsView;
  /** Work done; the suite reads `slowFaults`: faults that had to look at the memslots. */
  readonly counters: WorkCounters;
  /** Whether nobody holds any lock. */
  readonly lockFree: boolean;
  /** Accesses a page as the guest does, and says what answered. */
  access(gfn: Gfn): "ram" | "mmio";
  /** Creates a slot; the id must be free, from 0 to 15, and the place too. */
  create(gfn: Gfn, npages: number, id: number): void;
  /** Deletes a slot. */
  delete(id: number): void;
  /** Moves a slot to a free place. */
  move(id: number, gfn: Gfn): void;
  /** Changes the flags of a slot, so that the memslots are updated and no page changes hands. */
  flags(id: number): void;
  /** Gives the strategy one piece of background time, if it wants any. */
  sweep(): void;
}

/**
 * Makes a world without slots.
 *
 * @param strategy The strategy under test; the world owns it.
 * @param era How the generation moves.
 */
export type WorldFactory = (strategy: InvalidationStrategy, era: Era) => ConformanceWorld;
