import { SHADOW_BITS, SHADOW_BITS_4_10, SHADOW_BITS_6_1, type SpteBits } from "@mmu-lab/paging";

/**
 * Bit 2 of a nested entry: user mode may use it; all accesses of a guest count as user mode. Architecture (APM vol.
 * 2, 15.25.5).
 */
export const NPT_USER: number = 4;
/** Bit 5: accessed. Architecture. */
export const NPT_ACCESSED: number = 0x20;
/** Bit 6: dirty. Architecture. */
export const NPT_DIRTY: number = 0x40;

/** The bits of NPT sptes in 3.11 (`kvm_mmu_set_mask_ptes` in `kvm_arch_init`, 3.11 x86.c; facts sheet 0.2, 6.6). */
export const NPT_BITS: SpteBits = { ...SHADOW_BITS, name: "NPT" };

/** The same in 4.10, which sets the dirty bit of what may be written (`set_spte`, 4.10 mmu.c). */
export const NPT_BITS_4_10: SpteBits = { ...SHADOW_BITS_4_10, name: "NPT" };

/** The same in 6.1, which keeps bits 9 to 11 for itself (6.1 spte.h). */
export const NPT_BITS_6_1: SpteBits = { ...SHADOW_BITS_6_1, name: "NPT" };
