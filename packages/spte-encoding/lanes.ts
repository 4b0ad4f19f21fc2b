/**
 * Entry lanes: a 64-bit spte as two 32-bit numbers.
 *
 * Modelling choice, not architecture: hot code never makes a `bigint`. A lane may come in as int32 or as uint32 (a
 * `Uint32Array` reads as uint32, `a | b` gives int32); every function here takes both. Lanes that come out are int32.
 *
 * @module
 */

/** One 64-bit entry as two 32-bit lanes. */
export interface Lanes {
  /** Bits 31:0. */
  readonly lo: number;
  /** Bits 63:32. */
  readonly hi: number;
}

const LANES_PATTERN = /^(?:0x)?([0-9a-f]{1,16})$/i;

/**
 * Prints an entry the way kernel traces do: `0x`, lower case, no leading zeros.
 *
 * @param lo Bits 31:0, int32 or uint32
 * @param hi Bits 63:32, int32 or uint32
 * @returns The hexadecimal text; `0x0` for an empty entry
 *
 * @example
 * ```ts
 * import { formatLanes } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatLanes(0xfee00b4e, 0xfff00000), "0xfff00000fee00b4e");
 * ```
 */
export function formatLanes(lo: number, hi: number): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${(hi >>> 0).toString(16)}${low.padStart(8, "0")}`;
}

/**
 * Reads an entry from hexadecimal text, with or without `0x`, upper or lower case.
 *
 * @param text 1 to 16 hexadecimal digits
 * @returns The lanes, int32
 * @throws {SyntaxError} If `text` is anything else
 *
 * @example
 * ```ts
 * import { formatLanes, parseLanes } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * const { lo, hi } = parseLanes("80000D0000017");
 * assertEquals(formatLanes(lo, hi), "0x80000d0000017");
 * ```
 */
export function parseLanes(text: string): Lanes {
  const digits = LANES_PATTERN.exec(text)?.[1];
  if (digits === undefined) {
    throw new SyntaxError(
      `Cannot parse spte '${text}': expected 1 to 16 hexadecimal digits, for example 0xfff00000fee00b4e`,
    );
  }
  const padded = digits.padStart(16, "0");
  return { lo: parseInt(padded.slice(8), 16) | 0, hi: parseInt(padded.slice(0, 8), 16) | 0 };
}

/**
 * Joins two lanes to an unsigned 64-bit `bigint`. For printing, parsing and tests; never for hot code.
 *
 * @param lo Bits 31:0, int32 or uint32
 * @param hi Bits 63:32, int32 or uint32
 * @returns A value from 0 to 2^64 - 1
 */
export function lanesToBigInt(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/**
 * Splits an unsigned 64-bit `bigint` into lanes. For printing, parsing and tests; never for hot code.
 *
 * @param value 0 to 2^64 - 1
 * @returns The lanes, int32
 * @throws {RangeError} If `value` does not fit 64 unsigned bits
 */
export function bigIntToLanes(value: bigint): Lanes {
  if (value !== BigInt.asUintN(64, value)) {
    throw new RangeError(`Cannot split ${value} into lanes: expected 0 to 2^64 - 1`);
  }
  // `| 0`: V8 boxes Number(-(2n ** 31n)), and a boxed mask made encoding and decoding two to three times slower.
  return { lo: Number(BigInt.asIntN(32, value)) | 0, hi: Number(BigInt.asIntN(32, value >> 32n)) | 0 };
}

/**
 * Bits 31:0 of `pfn << 12` (or of `gfn << 12`), without a check.
 *
 * @param pfn A page frame number below 2^40
 * @returns The low lane, int32; bits 11:0 are 0
 */
export function addressLo(pfn: number): number {
  return pfn << 12;
}

/**
 * Bits 63:32 of `pfn << 12` (or of `gfn << 12`), without a check.
 *
 * @param pfn A page frame number below 2^40
 * @returns The high lane, 0 to 2^20 - 1
 */
export function addressHi(pfn: number): number {
  return (pfn / 0x100000) | 0;
}

/**
 * The page frame number in bits 51:12 of an entry. Architecture: Intel and AMD agree on this field.
 *
 * @param lo Bits 31:0, int32 or uint32
 * @param hi Bits 63:32, int32 or uint32
 * @returns A page frame number below 2^40
 */
export function pfnOfLanes(lo: number, hi: number): number {
  return (hi & 0xfffff) * 0x100000 + (lo >>> 12);
}
