import { SOFTWARE_BITS_3_11, type SpteBits } from "@mmu-lab/paging";

/** Bit 0 of an EPT entry: readable. Architecture (SDM vol. 3, 28.3.2; facts sheet 7.2). */
export const EPT_READ: number = 1;
/** Bit 1: writable. Architecture. */
export const EPT_WRITE: number = 2;
/** Bit 2: executable. Architecture. */
export const EPT_EXECUTE: number = 4;
/** Bit 8: accessed, if the EPTP enables it. Architecture. */
export const EPT_ACCESSED: number = 0x100;
/** Bit 9: dirty, if the EPTP enables it. Architecture. */
export const EPT_DIRTY: number = 0x200;

/** Write-back memory, the guest's PAT ignored: bits 5:3 = 6 and bit 6 (`vmx_get_mt_mask` for RAM, 3.11 vmx.c). */
const WRITE_BACK_IGNORE_PAT = 0x70;

/**
 * The bits of EPT sptes in 3.11 (`vmx_init`: `kvm_mmu_set_mask_ptes`; facts sheet 7.2).
 *
 * @param accessedDirty Whether the processor keeps accessed and dirty bits (Haswell on) and `eptad` is on.
 */
export function eptBits(accessedDirty: boolean): SpteBits {
  const accessed = accessedDirty ? EPT_ACCESSED : 0;
  return {
    name: accessedDirty ? "EPT with accessed and dirty bits" : "EPT without accessed and dirty bits",
    executable: EPT_EXECUTE,
    noExecuteHi: 0,
    user: 0,
    accessed,
    dirty: accessedDirty ? EPT_DIRTY : 0,
    dirtyIfWritable: 0,
    memoryType: WRITE_BACK_IGNORE_PAT,
    table: EPT_READ | EPT_WRITE | EPT_EXECUTE | accessed,
    software: SOFTWARE_BITS_3_11,
  };
}

/** The same in 4.10, which sets the dirty bit of what may be written (`set_spte`, 4.10 mmu.c). */
export function eptBits410(accessedDirty: boolean): SpteBits {
  return { ...eptBits(accessedDirty), dirtyIfWritable: accessedDirty ? EPT_DIRTY : 0 };
}

/** The bits of EPT sptes in 6.1, which keeps bits 11, 57 and 58 for itself (6.1 spte.h; facts sheet 6.6). */
export function eptBits61(accessedDirty: boolean): SpteBits {
  const software = {
    presentLo: 0x800,
    hostWritableLo: 0,
    hostWritableHi: 1 << 25,
    mmuWritableLo: 0,
    mmuWritableHi: 1 << 26,
  };
  return { ...eptBits410(accessedDirty), software };
}

/** Bit 63, in the high lane: a violation on this entry is an exit, not a #VE in the guest. Architecture (SDM vol. 3, 26.5.7). */
const EPT_SUPPRESS_VE_HI = 1 << 31;

/** The same in 6.12, which suppresses #VE in all entries but MMIO sptes (`kvm_mmu_set_ept_masks`, 6.12 spte.c). */
export function eptBits612(accessedDirty: boolean): SpteBits {
  return { ...eptBits61(accessedDirty), presentHi: EPT_SUPPRESS_VE_HI };
}
