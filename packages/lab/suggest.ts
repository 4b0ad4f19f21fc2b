import { InputError } from "./input_error.ts";

/**
 * The number of letters to insert, delete, replace or swap with their neighbour to get from one word to another
 * (Damerau-Levenshtein, restricted). O(length of a x length of b).
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length];
}

/**
 * Ends a message about an unknown word: a question if one of the known words is near, else those that begin most like
 * it, else all of them.
 *
 * @param word What was given.
 * @param known What there is.
 */
export function didYouMean(word: string, known: readonly string[]): string {
  const lower = word.toLowerCase();
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  // Two slips, and one more for each four letters of a long word.
  const isNear = near !== undefined && near.distance <= Math.max(2, Math.floor(word.length / 4)) &&
    near.distance < near.candidate.length;
  if (isNear) return `; did you mean '${near.candidate}'?`;
  const longer = known.filter((candidate) => lower.length > 2 && candidate.toLowerCase().startsWith(lower));
  if (longer.length > 0) return `; did you mean ${longer.map((candidate) => `'${candidate}'`).join(" or ")}?`;
  const shared = known.map((candidate) => sharedPrefix(lower, candidate.toLowerCase()));
  const longest = Math.max(0, ...shared);
  if (longest > 2) return `; there are: ${known.filter((_, i) => shared[i] === longest).join(", ")}`;
  return `; expected one of: ${known.join(", ")}`;
}

function sharedPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/**
 * Looks up a name.
 *
 * @param what What kind of thing it names, for the message.
 * @param name The name that was given.
 * @param things The things by name.
 * @throws {InputError} If there is none of that name; the message suggests another.
 */
export function named<T>(what: string, name: string, things: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(things, name)) return things[name];
  throw new InputError(`Unknown ${what} '${name}'${didYouMean(name, Object.keys(things))}`);
}
