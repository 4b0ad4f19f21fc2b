import type { Protocol } from "@mmu-lab/protocol";
import type { InvalidationStrategy, MemslotChange, MmuControl } from "./strategy.ts";
import type { UpdatePhase } from "@mmu-lab/memslots";

/** Options of {@linkcode fullWalk}. */
export interface FullWalkOptions {
  /**
   * `true` (982b3394dd23, 3.10): zap only shadow pages that ever held an MMIO spte. `false` (before it): zap every
   * shadow page.
   */
  readonly mmioCached?: boolean;
}

/**
 * What KVM did until 3.10: after a slot was created or moved, hold `mmu_lock`, walk the list of all shadow pages, and
 * zap those that hold MMIO sptes. This is what the 2013 series replaced. Facts sheet 1.2 and 1.3.
 *
 * | event | cost |
 * |---|---|
 * | create, move | O(shadow pages) under one hold of `mmu_lock`; 512 entries more for each page zapped |
 * | delete, flags | nothing (a delete zaps everything anyway) |
 * | MMIO access | a hit; after an update a full fault, and with it the tables on the way |
 * | memory | one bit a shadow page |
 *
 * @param options Which pages are zapped.
 */
export function fullWalk(options: FullWalkOptions = {}): InvalidationStrategy {
  const filter = options.mmioCached ?? true ? "mmio-cached" : "every-page";
  return {
    name: filter === "mmio-cached" ? "fullWalk" : "fullWalkEveryPage",
    maxGeneration: 0,
    stamp: () => 0,
    isCurrent: () => true,
    *onMemslotUpdate(phase: UpdatePhase, change: MemslotChange, mmu: MmuControl): Protocol<void> {
      if (phase !== "committed" || (change.kind !== "create" && change.kind !== "move")) return;
      yield mmu.lock.acquire;
      mmu.zapMmioPages(filter);
      yield mmu.lock.release;
    },
  };
}
