/**
 * An MMIO layout as data.
 *
 * @module
 */

import type { EntryFormat } from "./entry_format.ts";

/**
 * One piece of the generation: `width` bits, from bit `genLow` of the generation, kept at bit `spteLow` of the spte.
 * Encoding and decoding both follow it, so a wrong `genLow` is wrong in both directions, as in bug B07.
 */
export interface GenerationSegment {
  /** Lowest spte bit of the piece. */
  readonly spteLow: number;
  /** Lowest bit of the generation that it keeps; at most the lowest bit's place in its lane, so that encoding shifts left. */
  readonly genLow: number;
  /** Number of bits. */
  readonly width: number;
}

/** The L1TF split (facts sheet 4.10): address bits R = `[reservedHigh:reservedLow]` are forced to 1 and kept 5 bits up. */
export interface L1tfSplit {
  /** Lowest bit of R. */
  readonly reservedLow: number;
  /** Highest bit of R; also the highest gpa bit that the layout can represent. */
  readonly reservedHigh: number;
  /** Decoding leaves the moved copy in the address: historical bug B12, 4.19-rc. */
  readonly keepsMovedBits?: boolean;
}

/** Everything that tells one layout from another: data, so that kernel eras and historical bugs are configurations. */
export interface MmioLayoutOptions {
  /** Name for messages. */
  readonly name: string;
  /** Bits that `is_mmio_spte` looks at. */
  readonly mask: bigint;
  /** Bits that every MMIO spte has set. An entry is MMIO if it equals this on the bits of `mask`. 0: caching is off. */
  readonly value: bigint;
  /** Access bits stored at spte bits 2:1: `ACC_WRITE | ACC_USER`, or 0 for EPT. */
  readonly accessMask: number;
  /** Where the generation is kept: at most one segment in each lane. Empty before 3.11. */
  readonly generation: readonly GenerationSegment[];
  /** The values that a generation may take, stored or not: one less than a power of two. 0 before 3.11. */
  readonly generationMask: number;
  /** Highest gpa bit that is kept; `maxPhyAddr - 1` unless given. With `l1tf`, `reservedHigh` counts instead. */
  readonly gfnHigh?: number;
  /** MAXPHYADDR of the host, in bits. */
  readonly maxPhyAddr: number;
  /** The L1TF split, if the kernel does it. */
  readonly l1tf?: L1tfSplit;
  /** How entries that are not MMIO are read. */
  readonly entryFormat: EntryFormat;
  /**
   * With caching off, entries are still compared with mask and value, and many match that are none: historical bug B18.
   */
  readonly matchesWhenOff?: boolean;
  /** Build the layout although its fields overlap: for historical bugs B08, B14 and B16 only. */
  readonly allowOverlap?: boolean;
}

/** A named run of spte bits in a layout. */
export interface MmioField {
  /** What the bits hold. `moved gfn` and `L1TF` (the bits R) are there only with the L1TF split. */
  readonly name: "generation" | "gfn" | "moved gfn" | "L1TF" | "access" | "mask" | "value";
  /** Highest spte bit of the run. */
  readonly high: number;
  /** Lowest spte bit of the run. */
  readonly low: number;
}
