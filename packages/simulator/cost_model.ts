import { WORK_KINDS, type WorkCounters, type WorkKind } from "@mmu-lab/protocol";

/** What one piece of each kind of work costs, in cycles: non-negative integers, so that sums are exact. */
export type CostModel = Readonly<Record<WorkKind, number>>;

/** Adds up what work costs. */
export class CostMeter {
  readonly #counts: Float64Array;
  readonly #cycles: Float64Array;

  /**
   * Makes a meter.
   *
   * @param counters The work.
   * @param costs What it costs.
   * @throws {RangeError} If a cost is not a non-negative integer.
   */
  constructor(counters: WorkCounters, costs: CostModel) {
    for (const { name } of WORK_KINDS) {
      if (!Number.isSafeInteger(costs[name]) || costs[name] < 0) {
        throw new RangeError(`Cannot charge ${costs[name]} cycles for ${name}: expected a non-negative integer`);
      }
    }
    this.#counts = counters.counts;
    this.#cycles = Float64Array.from(WORK_KINDS, ({ name }) => costs[name]);
  }

  /** Cycles that all work done so far costs, whoever did it. Exact below 2^53. */
  total(): number {
    let total = 0;
    for (let kind = 0; kind < this.#cycles.length; kind++) total += this.#cycles[kind] * this.#counts[kind];
    return total;
  }
}
