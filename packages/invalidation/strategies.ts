import type { Era } from "@mmu-lab/memslots";
import { fullWalk } from "./full_walk.ts";
import { generation } from "./generation.ts";
import { hybrid } from "./hybrid.ts";
import { none } from "./none.ts";
import { seedV2 } from "./seed_v2.ts";
import type { InvalidationStrategy } from "./strategy.ts";

/**
 * Makes a strategy for a VM. Each VM gets an object of its own, for a strategy may remember things.
 *
 * @param era The era of the VM's kernel, for strategies that store a number; its `mmio` rule is `null` for kernels
 * whose MMIO sptes have no room for one.
 * @throws {RangeError} If the strategy cannot work in that era.
 */
export type StrategyFactory = (era: Era) => InvalidationStrategy;

/** A strategy of the lab, by name, with a line about it. */
export interface NamedStrategy {
  /** What it does, in one line. */
  readonly summary: string;
  /** Makes one. */
  readonly create: StrategyFactory;
}

/** The strategies of this package by name. */
export const STRATEGIES: Readonly<Record<string, NamedStrategy>> = {
  fullWalk: {
    summary: "3.10: walk all shadow pages under mmu_lock, zap those that ever held an MMIO spte",
    create: () => fullWalk(),
  },
  fullWalkEveryPage: {
    summary: "before 3.10: walk under mmu_lock and zap every shadow page",
    create: () => fullWalk({ mmioCached: false }),
  },
  generation: {
    summary: "3.11: a number in every MMIO spte, bumped by each update; everything is zapped when it goes round",
    create: (era) => generation(ruleOf(era, "generation")),
  },
  hybrid: {
    summary: "generation with a bounded background sweep, so that a wrap stops nobody",
    create: (era) =>
      hybrid({ rule: ruleOf(era, "hybrid"), step: era.memslots.publishStep + era.memslots.completeStep }),
  },
  seedV2: {
    summary: "version 2 of the 2013 series: as generation, but a wrap zaps by the walk of 3.10",
    create: (era) => seedV2(ruleOf(era, "seedV2")),
  },
  none: {
    summary: "no invalidation; UNSOUND, to see that the checks catch it",
    create: () => none(),
  },
};

function ruleOf(era: Era, strategy: string) {
  if (era.mmio !== null) return era.mmio;
  throw new RangeError(
    `Cannot use '${strategy}' with a kernel of era ${era.name} (${era.kernels}): its MMIO sptes store no generation`,
  );
}
