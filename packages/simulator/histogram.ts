/** Values below this, 2^10, have a bucket each; of larger ones the first ten bits tell the bucket. */
const EXACT = 1024;
/** Buckets for each doubling above {@linkcode EXACT}. */
const PER_DOUBLING = EXACT / 2;
const FIRST_BUCKETS = 2048;

/** A histogram in a few numbers. */
export interface HistogramSummary {
  /** How many values. */
  readonly count: number;
  /** Their sum. */
  readonly sum: number;
  /** The smallest; 0 if there is none. */
  readonly min: number;
  /** The median, as the other percentiles a bound from above that is off by less than one in 512. */
  readonly p50: number;
  /** 99 of 100 values are not above it. */
  readonly p99: number;
  /** 999 of 1000 values are not above it. */
  readonly p999: number;
  /** The largest; 0 if there is none. */
  readonly max: number;
}

/**
 * Counts of non-negative integers, such as latencies in cycles, by value: exact below 1024, then in buckets of which
 * each is less than one part in 512 wide. Count, minimum, maximum, and the sum below 2^53, are exact. Integers alone are reckoned with,
 * so that it is equal everywhere.
 *
 * | operation | cost |
 * |---|---|
 * | record | O(1) |
 * | percentile | O(buckets) |
 * | memory | 4 bytes a bucket, 512 buckets for each doubling of the largest value |
 *
 * @example
 * ```ts
 * import { Histogram } from "@mmu-lab/simulator";
 * import { assertEquals } from "@std/assert";
 *
 * const histogram = new Histogram();
 * for (let value = 1; value <= 100; value++) histogram.record(value);
 * assertEquals([histogram.percentile(50), histogram.percentile(99), histogram.max], [50, 99, 100]);
 * ```
 */
export class Histogram {
  #buckets: Uint32Array = new Uint32Array(FIRST_BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** How many values have been recorded. */
  get count(): number {
    return this.#count;
  }

  /** The sum of the values. */
  get sum(): number {
    return this.#sum;
  }

  /** The smallest value; 0 if there is none. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  /** The largest value; 0 if there is none. */
  get max(): number {
    return this.#max;
  }

  /**
   * Counts a value.
   *
   * @throws {RangeError} If it is not a non-negative safe integer.
   */
  record(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot record ${value}: expected a non-negative integer`);
    }
    const bucket = bucketOf(value);
    if (bucket >= this.#buckets.length) this.#grow(bucket + 1);
    this.#buckets[bucket]++;
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds all values of another histogram. */
  merge(other: Histogram): void {
    if (other.#count === 0) return;
    if (other.#buckets.length > this.#buckets.length) this.#grow(other.#buckets.length);
    for (let bucket = 0; bucket < other.#buckets.length; bucket++) this.#buckets[bucket] += other.#buckets[bucket];
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * A bound for a share of the values: `percent` of 100 of them are not above it (nearest rank). It is the top of its
   * bucket or the largest value.
   *
   * @param percent From 0 to 100.
   * @returns The bound; 0 if there are no values.
   */
  percentile(percent: number): number {
    // In millionths of the count, so that 99.9 percent of 1000 values are 999 and not 999.0000000000001.
    const rank = Math.max(1, Math.ceil((Math.round(percent * 1e4) * this.#count) / 1e6));
    let seen = 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      seen += this.#buckets[bucket];
      if (seen >= rank) return Math.min(topOf(bucket), this.#max);
    }
    return this.#max;
  }

  /** The histogram in a few numbers. */
  toJSON(): HistogramSummary {
    const { count, sum, min, max } = this;
    return { count, sum, min, p50: this.percentile(50), p99: this.percentile(99), p999: this.percentile(99.9), max };
  }

  #grow(length: number): void {
    const buckets = new Uint32Array(Math.max(length, 2 * this.#buckets.length));
    buckets.set(this.#buckets);
    this.#buckets = buckets;
  }
}

/** The bucket of a value: the value itself, or its doubling and the nine bits that follow its first one. */
function bucketOf(value: number): number {
  if (value < EXACT) return value;
  let doublings = 0;
  // Division by a power of two is exact; Math.log2 need not be the same everywhere.
  while (value >= EXACT) {
    value /= 2;
    doublings++;
  }
  return (doublings * PER_DOUBLING) + Math.floor(value);
}

/** The largest value of a bucket. */
function topOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doublings = Math.floor(bucket / PER_DOUBLING) - 1;
  return (bucket - doublings * PER_DOUBLING + 1) * 2 ** doublings - 1;
}
