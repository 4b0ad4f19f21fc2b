import { SOFTWARE_BITS_3_11, type SpteBits } from "../pages/spte_bits.ts";

/** The bits of sptes of shadow tables, in the format of the guest's own 64-bit tables (`kvm_arch_init`, 3.11 x86.c). */
export const SHADOW_BITS: SpteBits = {
  name: "shadow",
  executable: 0,
  noExecuteHi: 1 << 31,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  dirtyIfWritable: 0,
  memoryType: 0,
  table: 1 | 2 | 4 | 0x20,
  software: SOFTWARE_BITS_3_11,
};

/** The same in 4.10, which sets the dirty bit of what may be written (`set_spte`, 4.10 mmu.c). */
export const SHADOW_BITS_4_10: SpteBits = { ...SHADOW_BITS, dirtyIfWritable: SHADOW_BITS.dirty };

/** The same in 6.1, which keeps bits 9 to 11 for itself (6.1 spte.h). */
export const SHADOW_BITS_6_1: SpteBits = {
  ...SHADOW_BITS_4_10,
  software: { presentLo: 0x800, hostWritableLo: 0x200, hostWritableHi: 0, mmuWritableLo: 0x400, mmuWritableHi: 0 },
};
