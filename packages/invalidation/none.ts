import type { InvalidationStrategy } from "./strategy.ts";

/**
 * No invalidation at all: an MMIO spte is trusted for as long as it lives. **Unsound**: after a slot has been created
 * over a page that the guest has touched, the guest goes on talking to the device that used to be there. It is here
 * because a checker that does not catch it is broken.
 *
 * | event | cost |
 * |---|---|
 * | memslot update | nothing |
 * | MMIO access | a hit, right or wrong |
 */
export function none(): InvalidationStrategy {
  return {
    name: "none",
    maxGeneration: 0,
    stamp: () => 0,
    isCurrent: () => true,
  };
}
