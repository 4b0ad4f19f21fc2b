/**
 * A source of random integers: returns one from 0 to `below - 1`; `below` is a positive integer of at most 2^32.
 */
export type RandomBelow = (below: number) => number;

/**
 * Random numbers that depend on the seed alone: the same on every machine, so that a failure can be repeated from the
 * seed that it prints. The generator is mulberry32, by Tommy Ettinger; its 32 bits of state are enough for tests and
 * workloads, and for nothing secret.
 *
 * @param seed Any integer; its low 32 bits count.
 * @returns A source that starts anew.
 *
 * @example
 * ```ts
 * import { seededRandom } from "@mmu-lab/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const dice = seededRandom(2013);
 * const again = seededRandom(2013);
 * assertEquals([dice(6), dice(6), dice(6)], [again(6), again(6), again(6)]);
 * ```
 */
export function seededRandom(seed: number): RandomBelow {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
