/**
 * How a present spte is read, and what an absent one looks like: hardware format, and the bits that KVM uses for itself.
 *
 * @module
 */

/** What a reader of sptes must know besides the MMIO layout. */
export interface EntryFormat {
  /**
   * Architecture: `ept` is Intel's EPT entry (facts sheet 7.2); `legacy` is the x86 long-mode or PAE entry, which shadow
   * page tables and AMD's NPT use.
   */
  readonly paging: "ept" | "legacy";
  /** KVM policy: spte bit that says that the host mapping may be written. */
  readonly hostWritableBit: number;
  /** KVM policy: spte bit that says that the MMU may make the entry writable without a slow fault. */
  readonly mmuWritableBit: number;
  /** KVM policy: whether bit 11 marks every present spte (`SPTE_MMU_PRESENT_MASK`, from 5.13). */
  readonly hasMmuPresentBit: boolean;
  /** KVM policy: whether bits 53:52 hold the kind of spte (from 5.4; facts sheet 4.9). */
  readonly hasSpteKind: boolean;
  /** High lane of an empty entry, int32: 0, or bit 63 from 6.12 (`SHADOW_NONPRESENT_VALUE`). The low lane is 0. */
  readonly emptyHi: number;
  /**
   * Low lane of the marker for an entry whose table goes away (`REMOVED_SPTE`, later `FROZEN_SPTE`); its high lane is
   * `emptyHi`. 0 if the kernel has none that is modelled here.
   */
  readonly frozenLo: number;
}

const FROZEN_LO = 0x5a0;
const SUPPRESS_VE_HI = 1 << 31;

/** EPT entries up to 5.3. Source: 3.11 `mmu.c` `SPTE_HOST_WRITEABLE`, `SPTE_MMU_WRITEABLE`; facts sheet 6.6. */
export const EPT_ENTRIES: EntryFormat = {
  paging: "ept",
  hostWritableBit: 10,
  mmuWritableBit: 11,
  hasMmuPresentBit: false,
  hasSpteKind: false,
  emptyHi: 0,
  frozenLo: 0,
};

/** EPT entries from 5.4 to 5.12: bits 53:52 hold the kind of spte. Source: facts sheet 4.9. */
export const EPT_ENTRIES_5_4: EntryFormat = { ...EPT_ENTRIES, hasSpteKind: true };

/** EPT entries from 5.13: software bits moved up, bit 11 means present to KVM. Source: facts sheet 6.6; 6.1 `spte.h`. */
export const EPT_ENTRIES_5_13: EntryFormat = {
  paging: "ept",
  hostWritableBit: 57,
  mmuWritableBit: 58,
  hasMmuPresentBit: true,
  hasSpteKind: true,
  emptyHi: 0,
  frozenLo: FROZEN_LO,
};

/** EPT entries of 6.12: empty entries suppress #VE. Source: facts sheet 4.9. */
export const EPT_ENTRIES_6_12: EntryFormat = { ...EPT_ENTRIES_5_13, emptyHi: SUPPRESS_VE_HI };

/** Shadow and NPT entries up to 5.3. Source: as {@linkcode EPT_ENTRIES}. */
export const LEGACY_ENTRIES: EntryFormat = { ...EPT_ENTRIES, paging: "legacy" };

/** Shadow and NPT entries from 5.4 to 5.12. Source: as {@linkcode EPT_ENTRIES_5_4}. */
export const LEGACY_ENTRIES_5_4: EntryFormat = { ...EPT_ENTRIES_5_4, paging: "legacy" };

/** Shadow and NPT entries from 5.13: software bits 9 and 10. Source: as {@linkcode EPT_ENTRIES_5_13}. */
export const LEGACY_ENTRIES_5_13: EntryFormat = {
  ...EPT_ENTRIES_5_13,
  paging: "legacy",
  hostWritableBit: 9,
  mmuWritableBit: 10,
};

/** Shadow and NPT entries of 6.12: empty entries have bit 63 set here too. Source: as {@linkcode EPT_ENTRIES_6_12}. */
export const LEGACY_ENTRIES_6_12: EntryFormat = { ...LEGACY_ENTRIES_5_13, emptyHi: SUPPRESS_VE_HI };
