import { ERAS, type Gfn, type MemslotsView, mmioGeneration, type MmioGenerationRule, wraps } from "@mmu-lab/memslots";
import type { UpdatePhase } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import type { Generation, InvalidationStrategy, MemslotChange, MmuControl } from "./strategy.ts";

/** A local name, for V8 reads an imported function from its module again at each call, and every MMIO access calls it. */
const numberOf = mmioGeneration;

/** The rule of 3.11, the first kernel with the generation: 19 bits, zap at the last two values, checked at commit. */
export const GENERATION_3_11: MmioGenerationRule = ERAS.G1.mmio!;

/** Options of {@linkcode generation}. */
export interface GenerationOptions {
  /**
   * How a wrap zaps. `everything`: all shadow pages, by making them obsolete (3.11 as merged, and since 5.4). `walk`: the pages
   * that ever held an MMIO spte, under one hold of `mmu_lock` (version 2 of the series). `walk-with-breaks`: the same pages,
   * beginning anew after each lock break (5.1 to 5.3; bug B06).
   */
  readonly wrapZap?: "everything" | "walk" | "walk-with-breaks";
}

/**
 * The idea of the 2013 series: every MMIO spte stores the generation of the memslots; a memslot update bumps the
 * number and is done; a stale spte is noticed when it is next used. When the number goes round, everything is zapped.
 * Facts sheet 2.4 and 2.8; the rule is data, so that each era, and each of their bugs, is an option.
 *
 * | event | cost |
 * |---|---|
 * | memslot update | O(1), no lock |
 * | MMIO access after an update | one refault a page, whatever changed |
 * | wrap | zaps every shadow page: once in 2^bits updates |
 * | memory | no bit beyond the spte's own |
 *
 * @param rule Width, start, wrap and its call point; 3.11's unless told.
 * @param options How a wrap zaps; `everything` unless told.
 * @throws {RangeError} If the mask is not a run of ones from bit 0, or the wrap value lies outside it.
 */
export function generation(
  rule: MmioGenerationRule = GENERATION_3_11,
  options: GenerationOptions = {},
): InvalidationStrategy {
  checkRule(rule);
  return {
    name: "generation",
    maxGeneration: rule.mask,
    stamp: (view: MemslotsView): Generation => numberOf(rule, view.generation),
    isCurrent: (stored: Generation, view: MemslotsView, _gfn: Gfn): boolean =>
      !view.updateInProgress && stored === numberOf(rule, view.generation),
    *onMemslotUpdate(phase: UpdatePhase, change: MemslotChange, mmu: MmuControl): Protocol<void> {
      if (phase !== rule.wrapCheckedAt || !wraps(rule, mmioGeneration(rule, change.generation))) return;
      mmu.counters.counts[Work.wrapZaps]++;
      yield* zapAtWrap(mmu, options.wrapZap ?? "everything");
    },
  };
}

function* zapAtWrap(mmu: MmuControl, how: "everything" | "walk" | "walk-with-breaks"): Protocol<void> {
  if (how === "everything") return yield* mmu.zapAll();
  if (how === "walk-with-breaks") return yield* mmu.walkMmioPages();
  yield mmu.lock.acquire;
  mmu.zapMmioPages("mmio-cached");
  yield mmu.lock.release;
}

/** Checks that a rule makes sense on its own. */
export function checkRule(rule: MmioGenerationRule): void {
  if (rule.mask <= 0 || (rule.mask & (rule.mask + 1)) !== 0) {
    throw new RangeError(`Cannot use generation mask 0x${rule.mask.toString(16)}: expected a run of ones from bit 0`);
  }
  if (rule.wrap.kind === "at-least" && (rule.wrap.value < 1 || rule.wrap.value > rule.mask)) {
    throw new RangeError(
      `Cannot wrap at 0x${rule.wrap.value.toString(16)}: expected a value from 1 to the mask 0x${
        rule.mask.toString(16)
      }`,
    );
  }
}
