/**
 * Which bits KVM sets in an spte that maps memory or links a table, and what it keeps there for itself. One object per
 * hardware format; a backend brings its own.
 *
 * All bits lie in the low lane but `noExecuteHi`. Bits 0 (present, or readable with EPT) and 1 (writable) mean the same
 * in every format (facts sheet 0.2, 6.6, 7.2).
 */
export interface SpteBits {
  /** Name of the format, for messages. */
  readonly name: string;
  /** Set in a leaf that may be executed; 0 where execution is forbidden by {@linkcode SpteBits.noExecuteHi}. */
  readonly executable: number;
  /** Set in the high lane of a leaf that may not be executed. */
  readonly noExecuteHi: number;
  /** Set in a leaf that guest user mode may use; 0 with EPT. */
  readonly user: number;
  /** The accessed bit; 0 where the processor has none, and then KVM does not prefetch. */
  readonly accessed: number;
  /** The dirty bit; 0 where the processor has none. */
  readonly dirty: number;
  /** Set in a leaf that KVM makes writable, beside the bits for that: the dirty bit in 4.10, 0 in 3.11. KVM policy. */
  readonly dirtyIfWritable: number;
  /** Memory type of RAM in a leaf: write-back, guest's PAT ignored, with EPT; 0 without. */
  readonly memoryType: number;
  /** Set in the high lane of every present entry: "suppress #VE", bit 63 of EPT entries (6.12). KVM policy. */
  readonly presentHi?: number;
  /** Everything but the address in an entry that links a table, low lane. */
  readonly table: number;
  /** The bits that KVM keeps for itself. KVM policy. */
  readonly software: SoftwareBits;
}

/** Where KVM keeps what the processor ignores (6.1 spte.h; facts sheet 6.6). KVM policy. */
export interface SoftwareBits {
  /** Set in every entry that maps memory or links a table, and in no MMIO spte (`SPTE_MMU_PRESENT_MASK`, 5.13 on); 0 before. */
  readonly presentLo: number;
  /** Host memory is writable, low lane. */
  readonly hostWritableLo: number;
  /** The same, high lane. */
  readonly hostWritableHi: number;
  /** KVM may make the entry writable, low lane. */
  readonly mmuWritableLo: number;
  /** The same, high lane. */
  readonly mmuWritableHi: number;
}

/** Bit 0: present; readable with EPT. Architecture. */
export const SPTE_PRESENT: number = 1;
/** Bit 1: writable. Architecture. */
export const SPTE_WRITABLE: number = 2;
/** Bit 7 of an entry above level 1: maps a large page. Architecture. */
export const SPTE_LARGE: number = 0x80;
/** Bit 10, ignored by the processor: host memory is writable (`SPTE_HOST_WRITEABLE`, 3.11 mmu.c). KVM policy. */
export const SPTE_HOST_WRITABLE: number = 0x400;
/** Bit 11, ignored by the processor: KVM may make the entry writable (`SPTE_MMU_WRITEABLE`, 3.11 mmu.c). KVM policy. */
export const SPTE_MMU_WRITABLE: number = 0x800;

/** What 3.11 to 5.12 keep for themselves: two bits, in all formats. */
export const SOFTWARE_BITS_3_11: SoftwareBits = {
  presentLo: 0,
  hostWritableLo: SPTE_HOST_WRITABLE,
  hostWritableHi: 0,
  mmuWritableLo: SPTE_MMU_WRITABLE,
  mmuWritableHi: 0,
};

/** Whether KVM may make an entry writable, as far as guest tables go (`is_mmu_writable_spte`). */
export function isMmuWritable(bits: SpteBits, lo: number, hi: number): boolean {
  return ((lo & bits.software.mmuWritableLo) | (hi & bits.software.mmuWritableHi)) !== 0;
}

/** Whether the host memory that an entry maps may be written. */
export function isHostWritable(bits: SpteBits, lo: number, hi: number): boolean {
  return ((lo & bits.software.hostWritableLo) | (hi & bits.software.hostWritableHi)) !== 0;
}

/** Whether an entry of a level maps a page, if it is present (`is_last_spte`). */
export function isLast(lo: number, level: number): boolean {
  return level === 1 || (lo & SPTE_LARGE) !== 0;
}
