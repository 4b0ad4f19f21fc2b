/**
 * Linear addresses. They have 64 bits, of which those above bit 47, or 56 with 5-level paging, repeat that one (canonical;
 * SDM vol. 1, 3.3.7.1): too many for a number. So they come as a page and an offset in it, each exact; and, where it is
 * enough to know the page, or for tracepoints, as one number with a sign, negative in the upper half. The page of such a
 * number is exact too; beyond 2^53 its offset is rounded down to a multiple of 8.
 *
 * @module
 */

/** Pages of 4 KiB that 64 bits have; a linear page number is from 0 to one less. */
export const LINEAR_PAGES: number = 2 ** 52;

/** Pages on either side of 0 of which a number holds each byte. */
const EXACT_PAGES = 2 ** 41;

/** The linear page number of an address with a sign; the gfn of a guest-physical one. */
export function linearPage(address: number): number {
  const page = Math.floor(address / 4096);
  return page < 0 ? page + LINEAR_PAGES : page;
}

/** The offset in its page of an address with a sign, within +-2^53. */
export function linearOffset(address: number): number {
  return address - Math.floor(address / 4096) * 4096;
}

/** An address as a number with a sign. @param page Linear page number. @param offset 0 to 4095. */
export function linearAddress(page: number, offset: number): number {
  const signed = page < LINEAR_PAGES / 2 ? page : page - LINEAR_PAGES;
  const isExact = signed < EXACT_PAGES && signed >= -EXACT_PAGES;
  return signed * 4096 + (isExact ? offset : offset & ~7);
}

/** Bits 31:0 of an address, int32. */
export function linearLo(page: number, offset: number): number {
  return (page << 12) | offset;
}

/** Bits 63:32 of an address, int32. */
export function linearHi(page: number): number {
  return Math.floor(page / 0x100000) | 0;
}

/** Bits 63:32 of a number with a sign, int32. */
export function highWord(value: number): number {
  return Math.floor(value / 2 ** 32) | 0;
}

/**
 * Whether an address is canonical.
 *
 * @param page Linear page number. @param levels Of the tables: 4 or 5.
 */
export function isCanonical(page: number, levels: 4 | 5): boolean {
  const half = 512 ** levels / 2;
  return page < half || page >= LINEAR_PAGES - half;
}
