/**
 * What a step touches of the state that actors share: a set of resources that it reads, and one of those that it writes,
 * in one int32. Two steps of different actors that do not conflict may change places, and nobody can tell: an explorer
 * tries one order of the two (`@mmu-lab/explorer`).
 *
 * Resources are numbers from 0 to 14. Those of this package are {@linkcode LOCKS} and {@linkcode SRCU_READERS}; a world
 * gives out the others.
 *
 * @module
 */

/** Who holds which lock. */
export const LOCKS = 0;
/** Who reads in which side of an SRCU domain. */
export const SRCU_READERS = 1;
/** Nothing shared. */
export const TOUCHES_NOTHING = 0;
/** Whatever there is: conflicts with everything but nothing. */
export const TOUCHES_EVERYTHING = 0x7fff7fff;

const WRITES_FROM = 16;

/** The touch of reading a resource, or of changing it in a way that commutes with all others that only read it. */
export function reads(resource: number): number {
  return 1 << resource;
}

/** The touch of changing a resource. */
export function writes(resource: number): number {
  return 1 << (resource + WRITES_FROM);
}

/** Whether the order of two steps of different actors matters: one writes what the other reads or writes. */
export function conflict(a: number, b: number): boolean {
  return ((a >> WRITES_FROM) & (b | (b >> WRITES_FROM)) | (b >> WRITES_FROM) & a) !== 0;
}
