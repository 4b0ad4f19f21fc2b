import {
  type Gfn,
  type MemslotsView,
  mmioGeneration,
  type MmioGenerationRule,
  type UpdatePhase,
} from "@mmu-lab/memslots";
import type { Protocol, StateHasher } from "@mmu-lab/protocol";
import { checkRule, GENERATION_3_11 } from "./generation.ts";
import type { Generation, InvalidationStrategy, MemslotChange, MmuControl } from "./strategy.ts";

/** Options of {@linkcode hybrid}. */
export interface HybridOptions {
  /** Width and start of the generation; its wrap rule is not used, as nothing happens at a wrap. */
  readonly rule?: MmioGenerationRule;
  /** Generations that one publication of memslots takes, in this era; 1 unless told. */
  readonly step?: number;
  /** Shadow pages that one piece of the background sweep goes through; 64 unless told. */
  readonly pagesPerSweep?: number;
}

/**
 * Generation with a background sweep: the number works as in {@linkcode generation}, and meanwhile stale MMIO sptes are
 * cleared a bounded piece at a time, so that no entry lives to see its number come round again. A wrap is then an
 * update like any other: the world is never stopped.
 *
 * Why it is sound: an entry goes in the first pass that meets it stale. One that a pass met while it was current is met
 * by the next pass, so an entry outlives at most two passes. Each pass is held under a quarter of the numbers: the
 * background sweep may be as slow as it likes, for a memslot update does itself whatever share of the pass has fallen
 * due. A quarter must hold one publication, for entries are still made between an update's sweep and its publication.
 *
 * | event | cost |
 * |---|---|
 * | memslot update | O(1), no lock, while the background keeps up; else at most pages / 2^(bits - 2) pages, under the lock |
 * | MMIO access after an update | one refault a page, as with generation |
 * | wrap | nothing |
 * | background | one look at every page's MMIO count a pass, 512 entries for each page that has any |
 * | memory | a cursor |
 *
 * @param options Generation rule and the size of a sweep.
 * @throws {RangeError} If the rule has fewer than 3 bits or less than four steps, or if `pagesPerSweep` is not a positive
 * integer.
 */
export function hybrid(options: HybridOptions = {}): InvalidationStrategy {
  const rule = options.rule ?? GENERATION_3_11;
  const pagesPerSweep = options.pagesPerSweep ?? 64;
  checkRule(rule);
  if (rule.mask < 7) throw new RangeError(`Cannot sweep with generation mask ${rule.mask}: expected at least 3 bits`);
  const step = options.step ?? 1;
  if (4 * step > rule.mask + 1) {
    throw new RangeError(
      `Cannot sweep with generation mask ${rule.mask} and steps of ${step}: expected four steps or more`,
    );
  }
  if (!Number.isInteger(pagesPerSweep) || pagesPerSweep < 1) {
    throw new RangeError(`Cannot sweep ${pagesPerSweep} pages at a time: expected a positive integer`);
  }
  return new Hybrid(rule, pagesPerSweep);
}

class Hybrid implements InvalidationStrategy {
  readonly name = "hybrid";
  readonly maxGeneration: Generation;
  /** Generations that may go by during one pass. */
  readonly #passBudget: number;
  /** The memslot generation that readers see, by address space; none before the first update of a space. */
  readonly #visible: number[] = [];
  /** Generations that have gone by since the pass began, of all address spaces together. */
  #elapsed = 0;
  /** Pages that the pass has gone through. */
  #swept = 0;

  constructor(readonly rule: MmioGenerationRule, readonly pagesPerSweep: number) {
    this.maxGeneration = rule.mask;
    this.#passBudget = (rule.mask + 1) / 4;
  }

  stamp(view: MemslotsView): Generation {
    return mmioGeneration(this.rule, view.generation);
  }

  isCurrent(stored: Generation, view: MemslotsView, _gfn: Gfn): boolean {
    return !view.updateInProgress && stored === mmioGeneration(this.rule, view.generation);
  }

  *onMemslotUpdate(phase: UpdatePhase, change: MemslotChange, mmu: MmuControl): Protocol<void> {
    if (phase !== "publishing") return;
    const before = this.#visible[change.asId];
    if (before !== undefined) {
      this.#elapsed += change.generation - before;
      if (this.#swept < this.#due(mmu)) {
        yield mmu.lock.acquire;
        while (this.#swept < this.#due(mmu)) {
          if (this.#sweepPages(this.#due(mmu) - this.#swept, mmu)) break;
        }
        yield mmu.lock.release;
      }
    }
    this.#visible[change.asId] = change.generation;
  }

  *sweep(mmu: MmuControl): Protocol<void> {
    if (mmu.pagesWithMmio === 0) return;
    yield mmu.lock.acquire;
    this.#sweepPages(this.pagesPerSweep, mmu);
    yield mmu.lock.release;
  }

  hashInto(hasher: StateHasher): void {
    hasher.add(this.#elapsed).add(this.#swept);
    for (const number of this.#visible) hasher.add(number ?? -1);
  }

  /** How many pages of this pass must have been swept before the next number may become visible. */
  #due(mmu: MmuControl): number {
    return Math.floor((mmu.sweepLength * Math.min(this.#elapsed, this.#passBudget)) / this.#passBudget);
  }

  /** Sweeps some pages; says whether that ended a pass. */
  #sweepPages(pages: number, mmu: MmuControl): boolean {
    // In an address space without updates every entry is as it was made.
    const current = this.#visible.map((number) => mmioGeneration(this.rule, number));
    const passDone = mmu.sweepMmioSptes(pages, (stored, asId) => asId in current && stored !== current[asId]);
    this.#swept = passDone ? 0 : this.#swept + pages;
    if (passDone) this.#elapsed = 0;
    return passDone;
  }
}
