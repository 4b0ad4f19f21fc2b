/**
 * Which bits of a nested entry the processor reserves. Architecture (APM vol. 2, 5.3 and 15.25; AMD's memory encryption:
 * 7.10). KVM believes something of its own about it, which is part of its MMIO layout.
 *
 * @module
 */
import { SPTE_LARGE } from "@mmu-lab/paging";

/** What a processor does with the address bits, 51:12, of an entry. */
export interface AddressBits {
  /** Address bits that select memory, 36 to 52: where memory encryption takes some away, what is left. */
  readonly maxPhyAddr: number;
  /** The bit that says that a page is encrypted (the C-bit), at or above `maxPhyAddr`, if memory encryption is on. */
  readonly encryptionBit?: number;
  /** How many bits from `maxPhyAddr` up select an encryption key; 0 unless told. */
  readonly keyIdBits?: number;
}

/**
 * The reserved address bits, all of which lie in the high lane: bits 51:MAXPHYADDR, but for those that memory encryption
 * gives a meaning.
 *
 * @returns A mask for the high lane, 0 to 2^20 - 1.
 * @throws {RangeError} If a number is out of its range.
 */
export function reservedAddressBits(address: AddressBits): number {
  const { maxPhyAddr, encryptionBit, keyIdBits = 0 } = address;
  check("maxPhyAddr", maxPhyAddr, 36, 52);
  check("keyIdBits", keyIdBits, 0, 52 - maxPhyAddr);
  let reserved = bitsFrom(maxPhyAddr + keyIdBits);
  if (encryptionBit !== undefined) {
    check("encryptionBit", encryptionBit, maxPhyAddr, 51);
    reserved &= ~(1 << (encryptionBit - 32));
  }
  return reserved;
}

/** The address bits of the high lane that select memory, as a mask. */
export function memoryAddressBits({ maxPhyAddr }: AddressBits): number {
  return 0xfffff & ~bitsFrom(maxPhyAddr);
}

/** Bits 51:`low` of an entry, in the high lane. */
function bitsFrom(low: number): number {
  return 0xfffff & ~((1 << (low - 32)) - 1);
}

function check(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new RangeError(`Cannot make a processor with ${name} ${value}: expected an integer from ${low} to ${high}`);
}

/**
 * Whether a present entry has a reserved bit set. Entries that are not present have none.
 *
 * @param lo Low lane. @param hi High lane. @param level Level of the entry, 1 to 5.
 * @param maxPageLevel The largest page of the processor: level 1, 2 or 3.
 * @param reservedHi From {@linkcode reservedAddressBits}.
 */
export function hasReservedBits(
  lo: number,
  hi: number,
  level: number,
  maxPageLevel: number,
  reservedHi: number,
): boolean {
  if ((hi & reservedHi) !== 0) return true;
  if (level === 1 || (lo & SPTE_LARGE) === 0) return false;
  // Bit 12 is the PAT bit of a large page.
  return level > maxPageLevel || (lo & (level === 2 ? 0x001fe000 : 0x3fffe000)) !== 0;
}
