import { type RandomBelow, seededRandom } from "@mmu-lab/protocol";

/** Random choices that depend on a seed alone. */
export class Random {
  /** An integer from 0 to the argument - 1. */
  readonly below: RandomBelow;

  /** @param seed Any integer; its low 32 bits count. */
  constructor(seed: number) {
    this.below = seededRandom(seed);
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** The values in another order. */
  shuffled<T>(values: readonly T[]): T[] {
    const order = [...values];
    for (let i = order.length - 1; i > 0; i--) {
      const other = this.below(i + 1);
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }
}
