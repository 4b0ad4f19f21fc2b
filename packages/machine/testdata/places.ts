/**
 * Places for random runs: which gfns, which slots, how backed.
 *
 * @module
 */

/** Where a run takes place. */
export interface Place {
  /** Stretches of gfns that are accessed and where slots begin, as first gfn and size. */
  readonly windows: readonly (readonly [gfn: number, pages: number])[];
  /** A slot has 1 to so many units of pages; it begins at a multiple of the unit, in guest and host. */
  readonly slotUnits: number;
  /** Pages of a unit. */
  readonly unit: number;
  /** How the host backs the memory. */
  readonly hostPages?: "transparent-huge" | "hugetlb-2m";
  /** Shadow pages the VM may have. */
  readonly maxShadowPages?: number;
  /** Accesses, in percent, before anything else is thought of; 0 unless told. */
  readonly extraAccesses?: number;
}

/** A few dozen gfns, in shadow pages of their own and across the borders of some. */
export const DENSE: Place = {
  windows: [[0, 0x14], [0x1f8, 0x10], [0x3fffc, 0x8], [0xd0000, 0x8]],
  slotUnits: 8,
  unit: 1,
};
/** Gfns far from each other, with fewer shadow pages than they need. */
export const SPARSE: Place = {
  windows: Array.from({ length: 80 }, (_, i) => [i * 0x1000 + (i % 3) * 0x40000, 2] as const),
  slotUnits: 3,
  unit: 0x800,
  maxShadowPages: 64,
  extraAccesses: 95,
};
/**
 * Slots that large pages can map in part, where guest and host happen to lie alike. A move keeps to multiples of 2 MiB: 3.11 goes on with the large-page limits of the old place, and maps the wrong memory
 * at another (fixed in 2020 by edd4fa37baa6).
 */
export const HUGE: Place = {
  windows: [[0x1f0, 0x20], [0x3f0, 0x20], [0x5f0, 0x20], [0x7f0, 0x20], [0x9f0, 0x20]],
  slotUnits: 20,
  unit: 64,
  hostPages: "transparent-huge",
};
