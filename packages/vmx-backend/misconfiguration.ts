import { SPTE_LARGE } from "@mmu-lab/paging";

/** What of a processor decides whether an EPT entry is misconfigured. */
export interface EptCapabilities {
  /** Physical address width in bits. */
  readonly maxPhyAddr: number;
  /** Whether an entry may be executable and not readable. */
  readonly executeOnly: boolean;
  /** The largest page: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
}

/** Memory types that mean nothing: 2, 3 and 7, as a set of bits. */
const ILLEGAL_MEMORY_TYPES = (1 << 2) | (1 << 3) | (1 << 7);

/**
 * Whether an EPT entry that a walk meets is misconfigured. Architecture (SDM vol. 3, 28.3.3.1), as KVM itself encodes it
 * (`ept_misconfig_inspect_spte`, 3.11 vmx.c; facts sheet 7.3). An entry that allows nothing is not present, and never
 * misconfigured.
 *
 * @param lo Low lane. @param hi High lane. @param level Level of the entry, 1 to 5. @param cpu The processor.
 */
export function isMisconfigured(lo: number, hi: number, level: number, cpu: EptCapabilities): boolean {
  const rights = lo & 7;
  if (rights === 0) return false;
  if (rights === 0b010 || rights === 0b110) return true;
  if (rights === 0b100 && !cpu.executeOnly) return true;
  if (reservedHi(cpu.maxPhyAddr) & hi) return true;
  if (level === 1) return hasIllegalMemoryType(lo);
  const large = (lo & SPTE_LARGE) !== 0;
  if (!large) return (lo & (level >= 4 ? 0xf8 : 0x78)) !== 0;
  if (level > cpu.maxPageLevel) return true;
  const unaligned = level === 2 ? 0x001ff000 : 0x3ffff000;
  return (lo & unaligned) !== 0 || hasIllegalMemoryType(lo);
}

/** Bits 51:MAXPHYADDR of the high lane. */
function reservedHi(maxPhyAddr: number): number {
  return maxPhyAddr >= 52 ? 0 : 0xfffff & ~((1 << (maxPhyAddr - 32)) - 1);
}

function hasIllegalMemoryType(lo: number): boolean {
  return (ILLEGAL_MEMORY_TYPES & (1 << ((lo >> 3) & 7))) !== 0;
}
