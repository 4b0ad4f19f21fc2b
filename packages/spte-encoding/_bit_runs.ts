/** A run of adjacent bits `[high:low]`, both inclusive. */
export interface BitRun {
  readonly high: number;
  readonly low: number;
}

/** All ones from bit `low` to bit `high`; 0 if `high` is below `low`. Source: 3.11 `mmu.c` `rsvd_bits(s, e)`. */
export function rsvdBits(low: number, high: number): bigint {
  return high < low ? 0n : ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** The runs of set bits of a mask, highest first. */
export function bitRuns(mask: bigint): BitRun[] {
  const runs: BitRun[] = [];
  for (let high = 63; high >= 0; high--) {
    if (!(mask >> BigInt(high) & 1n)) continue;
    let low = high;
    while (low > 0 && mask >> BigInt(low - 1) & 1n) low--;
    runs.push({ high, low });
    high = low;
  }
  return runs;
}

/** `61:52`, or `62` for a single bit. */
export function formatRun({ high, low }: BitRun): string {
  return high === low ? `${high}` : `${high}:${low}`;
}
