/** One step of an alignment of two sequences: a pair that agrees, or an element that one of them has alone. */
export interface AlignedPair {
  /** Index in the first sequence, or -1. */
  readonly left: number;
  /** Index in the second sequence, or -1. */
  readonly right: number;
}

/** Longest stretch, in elements of both sequences multiplied, that is aligned; longer ones count as all different. */
const MAX_CELLS = 4_000_000;

/**
 * Aligns two sequences so that as many elements as possible agree, in order (longest common subsequence). Sequences that
 * are equal, as they nearly always are, cost O(n); others O(n m) beyond their common beginning and end.
 *
 * @param left Length of the first. @param right Length of the second.
 * @param equal Whether two elements agree.
 * @returns The alignment, in order.
 */
export function align(left: number, right: number, equal: (l: number, r: number) => boolean): AlignedPair[] {
  const pairs: AlignedPair[] = [];
  let begin = 0;
  while (begin < left && begin < right && equal(begin, begin)) {
    pairs.push({ left: begin, right: begin });
    begin++;
  }
  let tail = 0;
  while (tail < left - begin && tail < right - begin && equal(left - 1 - tail, right - 1 - tail)) tail++;
  pairs.push(...alignMiddle(begin, left - tail, right - tail, equal));
  for (let i = tail; i > 0; i--) pairs.push({ left: left - i, right: right - i });
  return pairs;
}

function alignMiddle(begin: number, left: number, right: number, equal: (l: number, r: number) => boolean) {
  const rows = left - begin;
  const columns = right - begin;
  const pairs: AlignedPair[] = [];
  if (rows * columns > MAX_CELLS) {
    for (let l = begin; l < left; l++) pairs.push({ left: l, right: -1 });
    for (let r = begin; r < right; r++) pairs.push({ left: -1, right: r });
    return pairs;
  }
  const width = columns + 1;
  const common = new Int32Array((rows + 1) * width);
  for (let l = rows - 1; l >= 0; l--) {
    for (let r = columns - 1; r >= 0; r--) {
      common[l * width + r] = equal(begin + l, begin + r)
        ? common[(l + 1) * width + r + 1] + 1
        : Math.max(common[(l + 1) * width + r], common[l * width + r + 1]);
    }
  }
  let l = 0;
  let r = 0;
  while (l < rows || r < columns) {
    if (l < rows && r < columns && equal(begin + l, begin + r)) {
      pairs.push({ left: begin + l++, right: begin + r++ });
    } else if (r === columns || (l < rows && common[(l + 1) * width + r] >= common[l * width + r + 1])) {
      pairs.push({ left: begin + l++, right: -1 });
    } else pairs.push({ left: -1, right: begin + r++ });
  }
  return pairs;
}
