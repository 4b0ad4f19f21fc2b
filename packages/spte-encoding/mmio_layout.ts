/**
 * The MMIO layout: where an MMIO spte keeps its mark, gfn, access and generation.
 *
 * @module
 */

import { rsvdBits } from "./_bit_runs.ts";
import { checkDisjoint, checkRanges, fieldsOf, gpaHighOf, segmentBits } from "./_layout_fields.ts";
import { ACC_ALL } from "./access.ts";
import type { EntryFormat } from "./entry_format.ts";
import { bigIntToLanes, type Lanes } from "./lanes.ts";
import type { GenerationSegment, MmioField, MmioLayoutOptions } from "./mmio_layout_options.ts";

export type * from "./mmio_layout_options.ts";

/** Distance by which the L1TF split moves address bits. Source: 4.19 `mmu.c` `shadow_nonpresent_or_rsvd_mask_len`. */
const L1TF_SHIFT = 5;
/** A generation segment that keeps nothing, for a lane that has none. */
const NO_SEGMENT: GenerationSegment = { spteLow: 0, genLow: 0, width: 0 };

/**
 * Encodes and decodes MMIO sptes of one kernel era and paging mode.
 *
 * KVM policy throughout, except that the mark must make hardware fault. The methods that hot code calls work on two
 * 32-bit lanes with plain number arithmetic: no allocation, no `bigint`, no check. {@linkcode MmioLayout.encode} checks.
 * Modelling choice: {@linkcode MmioLayout.encodeLo} and {@linkcode MmioLayout.encodeHi} drop bits that do not fit, where the
 * kernel would OR them in. Source: facts sheet 2.3, 2.4, 4.8 to 4.10; 3.11 and 6.1 `mmu.c`, `spte.c`.
 *
 * @example
 * ```ts
 * import { formatLanes, mmioLayout } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = mmioLayout("linux_6_1_shadow");
 * const { lo, hi } = layout.encode(0xfed00, 7, 0x12345);
 * assertEquals(formatLanes(lo, hi), "0x12380000fed0022f");
 * assertEquals(layout.isMmio(lo, hi), true);
 * assertEquals(layout.gfnOf(lo, hi), 0xfed00);
 * assertEquals(layout.accessOf(lo, hi), 6);
 * assertEquals(layout.generationOf(lo, hi), 0x12345);
 * ```
 */
export class MmioLayout {
  /** Name for messages. */
  readonly name: string;
  /** Bits 31:0 of the mask that {@linkcode MmioLayout.isMmio} looks at, int32. */
  readonly maskLo: number = 0;
  /** Bits 63:32 of the mask, int32. */
  readonly maskHi: number = 0;
  /** Bits 31:0 that every MMIO spte has set, int32. */
  readonly valueLo: number;
  /** Bits 63:32 that every MMIO spte has set, int32. */
  readonly valueHi: number;
  /** The values that a generation may take, stored or not. */
  readonly generationMask: number;
  /** The generation bits that survive encoding and decoding, as a mask. */
  readonly storedGenerationMask: number;
  /** How many generation bits survive. */
  readonly generationBits: number;
  /** Access bits that are stored. */
  readonly accessMask: number = 0;
  /** MAXPHYADDR of the host, in bits. */
  readonly maxPhyAddr: number;
  /** The largest gfn that the layout can represent. */
  readonly maxGfn: number;
  /** Whether MMIO sptes are made at all: false when `value` is 0 (no reserved bit left, or switched off; B16, B18). */
  readonly cachingEnabled: boolean;
  /** Where everything is, for people. */
  readonly fields: readonly MmioField[];
  /** How entries that are not MMIO are read. */
  readonly entryFormat: EntryFormat;

  // The 0 matters: a field that is undefined until the constructor sets it is never known to V8 as a small integer, and
  // each use of it would be checked.
  readonly #fixedLo: number = 0;
  readonly #fixedHi: number = 0;
  readonly #matchLo: number = 0;
  readonly #matchHi: number = 0;
  readonly #gfnLo: number = 0;
  readonly #gfnHi: number = 0;
  readonly #gfnReadLo: number = 0;
  readonly #gfnReadHi: number = 0;
  readonly #splitLo: number = 0;
  readonly #splitHi: number = 0;
  readonly #lowShift: number = 0;
  readonly #lowMask: number = 0;
  readonly #lowReadMask: number = 0;
  readonly #highShift: number = 0;
  readonly #highMask: number = 0;
  readonly #highReadMask: number = 0;

  /**
   * Makes a layout and checks that its mask, generation, gfn and access bits are pairwise disjoint.
   *
   * @param options The layout as data
   * @throws {RangeError} If two fields overlap (unless `allowOverlap`), a segment does not fit one lane, or a number is
   * out of its range
   */
  constructor(options: MmioLayoutOptions) {
    checkRanges(options);
    const { mask, value, l1tf } = options;
    const gpaHigh = gpaHighOf(options);
    const split = l1tf === undefined ? 0n : rsvdBits(l1tf.reservedLow, l1tf.reservedHigh);
    const moved = split << BigInt(L1TF_SHIFT);
    const gfn = rsvdBits(12, l1tf === undefined ? gpaHigh : l1tf.reservedLow - 1);

    this.name = options.name;
    this.fields = fieldsOf(options, gfn, moved, split);
    if (!options.allowOverlap) checkDisjoint(this.name, this.fields);
    this.generationMask = options.generationMask;
    this.accessMask = options.accessMask;
    this.maxPhyAddr = options.maxPhyAddr;
    this.maxGfn = 2 ** (gpaHigh - 11) - 1;
    this.cachingEnabled = value !== 0n;
    this.entryFormat = options.entryFormat;

    ({ lo: this.maskLo, hi: this.maskHi } = bigIntToLanes(mask));
    ({ lo: this.valueLo, hi: this.valueHi } = bigIntToLanes(value));
    ({ lo: this.#fixedLo, hi: this.#fixedHi } = bigIntToLanes(value | split));
    ({ lo: this.#matchLo, hi: this.#matchHi } = bigIntToLanes(value & mask));
    // Bits outside the mask, which no masked lane has: with caching off nothing matches, and isMmio need not ask.
    if (!this.cachingEnabled && !options.matchesWhenOff) this.#matchLo = ~this.maskLo;
    ({ lo: this.#gfnLo, hi: this.#gfnHi } = bigIntToLanes(gfn));
    ({ lo: this.#gfnReadLo, hi: this.#gfnReadHi } = bigIntToLanes(l1tf?.keepsMovedBits ? gfn | moved : gfn));
    ({ lo: this.#splitLo, hi: this.#splitHi } = bigIntToLanes(split));

    const low = options.generation.find(({ spteLow }) => spteLow < 32) ?? NO_SEGMENT;
    this.#lowShift = low.spteLow - low.genLow;
    this.#lowMask = bigIntToLanes(segmentBits(low)).lo;
    const high = options.generation.find(({ spteLow }) => spteLow >= 32) ?? NO_SEGMENT;
    this.#highShift = (high.spteLow & 31) - high.genLow;
    this.#highMask = bigIntToLanes(segmentBits(high)).hi;
    // Decoding clears the mask first: what makes B08 lose two generation bits (3.11 get_mmio_spte_generation).
    this.#lowReadMask = this.#lowMask & ~this.maskLo;
    this.#highReadMask = this.#highMask & ~this.maskHi;
    this.storedGenerationMask = this.generationOf(-1, -1);
    this.generationBits = countBits(this.storedGenerationMask);
  }

  /**
   * Bits 31:0 of the MMIO spte, unchecked.
   *
   * @param gfn Below 2^40; bits that the layout cannot represent are dropped
   * @param access `ACC_*` bits; exec and whatever is not in `accessMask` is dropped
   * @param generation Bits that are not stored are dropped
   * @returns The low lane, int32
   */
  encodeLo(gfn: number, access: number, generation: number): number {
    // addressLo() written out, and addressHi() below: V8 reads an imported function from its module again at each call,
    // which made both encode methods three times slower.
    const gpaLo = gfn << 12;
    return this.#fixedLo | (gpaLo & this.#gfnLo) | ((gpaLo & this.#splitLo) << L1TF_SHIFT) |
      (access & this.accessMask) | ((generation << this.#lowShift) & this.#lowMask);
  }

  /**
   * Bits 63:32 of the MMIO spte, unchecked.
   *
   * @param gfn As for {@linkcode MmioLayout.encodeLo}
   * @param _access Not in this lane in any layout
   * @param generation As for {@linkcode MmioLayout.encodeLo}
   * @returns The high lane, int32
   */
  encodeHi(gfn: number, _access: number, generation: number): number {
    const gpaHi = (gfn / 0x100000) | 0;
    return this.#fixedHi | (gpaHi & this.#gfnHi) | ((gpaHi & this.#splitHi) << L1TF_SHIFT) |
      (((gfn << 12) & this.#splitLo) >>> (32 - L1TF_SHIFT)) |
      ((generation << this.#highShift) & this.#highMask);
  }

  /**
   * Both lanes of the MMIO spte, checked; allocates.
   *
   * @param gfn 0 to `maxGfn`
   * @param access 0 to 7; exec (1) is dropped, as the kernel does
   * @param generation 0 to `generationMask`
   * @returns The lanes, int32
   * @throws {RangeError} If an argument is out of its range, or caching is off
   */
  encode(gfn: number, access: number, generation: number): Lanes {
    if (!this.cachingEnabled) throw new RangeError(`Cannot encode in layout '${this.name}': MMIO caching is off`);
    this.#check("gfn", gfn, this.maxGfn);
    this.#check("access", access, ACC_ALL);
    this.#check("generation", generation, this.generationMask);
    return { lo: this.encodeLo(gfn, access, generation), hi: this.encodeHi(gfn, access, generation) };
  }

  /**
   * Whether an entry is an MMIO spte (`is_mmio_spte`). Always false when caching is off, unless `matchesWhenOff`.
   *
   * @param lo Bits 31:0, int32 or uint32
   * @param hi Bits 63:32, int32 or uint32
   */
  isMmio(lo: number, hi: number): boolean {
    // One test instead of two: which lane differs is hard to predict in a mix of tables, RAM and MMIO.
    return (((lo & this.maskLo) ^ this.#matchLo) | ((hi & this.maskHi) ^ this.#matchHi)) === 0;
  }

  /**
   * Finds the next MMIO spte in a buffer of entries as lo, hi, lo, hi, ...: what a walk over whole shadow pages is made
   * of. Per entry it reads one lane, the one that tells MMIO sptes from most others, and the other where that matches.
   *
   * @param lanes The buffer
   * @param from Where the first entry to look at begins, even
   * @param end Where the last one ends, even; at most `lanes.length`
   * @returns Where the MMIO spte begins, or `end` if there is none
   */
  nextMmio(lanes: Int32Array, from: number, end: number): number {
    // Locals, for V8 does not move the loads of fields out of a loop.
    const { maskLo, maskHi } = this;
    const matchLo = this.#matchLo;
    const matchHi = this.#matchHi;
    if (maskHi !== 0) {
      for (let at = from; at < end; at += 2) {
        if ((lanes[at + 1] & maskHi) === matchHi && (lanes[at] & maskLo) === matchLo) return at;
      }
    } else {
      for (let at = from; at < end; at += 2) {
        if ((lanes[at] & maskLo) === matchLo) return at;
      }
    }
    return end;
  }

  /**
   * The generation in an MMIO spte (`get_mmio_spte_generation`); bits that are not stored read as 0.
   *
   * @param lo Bits 31:0, int32 or uint32
   * @param hi Bits 63:32, int32 or uint32
   */
  generationOf(lo: number, hi: number): number {
    return ((lo & this.#lowReadMask) >>> this.#lowShift) | ((hi & this.#highReadMask) >>> this.#highShift);
  }

  /**
   * The gfn in an MMIO spte (`get_mmio_spte_gfn`).
   *
   * @param lo Bits 31:0, int32 or uint32
   * @param hi Bits 63:32, int32 or uint32
   */
  gfnOf(lo: number, hi: number): number {
    const movedLo = (lo >>> L1TF_SHIFT) | (hi << (32 - L1TF_SHIFT));
    const gpaLo = (lo & this.#gfnReadLo) | (movedLo & this.#splitLo);
    const gpaHi = (hi & this.#gfnReadHi) | ((hi >>> L1TF_SHIFT) & this.#splitHi);
    return gpaHi * 0x100000 + (gpaLo >>> 12);
  }

  /**
   * The access in an MMIO spte (`get_mmio_spte_access`): 0, 2, 4 or 6; always 0 for EPT.
   *
   * @param lo Bits 31:0, int32 or uint32
   * @param _hi Bits 63:32; holds no access in any layout
   */
  accessOf(lo: number, _hi: number): number {
    return lo & this.accessMask;
  }

  #check(what: string, value: number, max: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= max) return;
    throw new RangeError(
      `Cannot encode ${what} 0x${value.toString(16)} in layout '${this.name}': expected 0 to 0x${max.toString(16)}`,
    );
  }
}

function countBits(mask: number): number {
  return mask.toString(2).replaceAll("0", "").length;
}
