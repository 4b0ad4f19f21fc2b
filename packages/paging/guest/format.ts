/**
 * The formats of guest page tables, as data: what `paging_tmpl.h` is compiled for, once each (facts sheet 6.1). The
 * walker has no other idea of a format.
 *
 * @module
 */

/** A format of guest tables. Architecture: SDM volume 3, chapter 4; EPT: section 28.3. */
export interface GuestFormat {
  /** Name, for people. */
  readonly name: string;
  /** Level of the root: 2 to 5, 0 with paging off. That of PAE is 3: its PDPTEs, kept in the processor, are the root. */
  readonly rootLevel: 0 | 2 | 3 | 4 | 5;
  /** Size of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** Bits of an index (`PT_LEVEL_BITS`). */
  readonly levelBits: 9 | 10;
  /** An entry is present if it has any of these. */
  readonly present: 1 | 7;
  /** The accessed bit. */
  readonly accessed: 0x20 | 0x100;
  /** The dirty bit, one above the accessed bit. */
  readonly dirty: 0x40 | 0x200;
  /** Whether bit 63 can forbid execution; bit 0 allows to read, and bit 2 to execute, where the format is EPT. */
  readonly noExecute: boolean;
  /** Whether entries that map a page have a protection key in bits 62:59. */
  readonly protectionKeys: boolean;
  /** Whether this is EPT, the nested format of Intel. */
  readonly ept: boolean;
}

const PAGING_64: Omit<GuestFormat, "name" | "rootLevel"> = {
  entryBytes: 8,
  levelBits: 9,
  present: 1,
  accessed: 0x20,
  dirty: 0x40,
  noExecute: true,
  protectionKeys: true,
  ept: false,
};

const EPT: Omit<GuestFormat, "name" | "rootLevel"> = {
  ...PAGING_64,
  present: 7,
  accessed: 0x100,
  dirty: 0x200,
  noExecute: false,
  protectionKeys: false,
  ept: true,
};

/** Paging off (CR0.PG clear): linear addresses are guest-physical. */
export const PAGING_OFF: GuestFormat = { ...PAGING_64, name: "off", rootLevel: 0 };

/** Two levels of 4-byte entries; with CR4.PSE also pages of 4 MiB. */
export const PAGING_32BIT: GuestFormat = {
  ...PAGING_64,
  name: "32-bit",
  rootLevel: 2,
  entryBytes: 4,
  levelBits: 10,
  noExecute: false,
  protectionKeys: false,
};

/** PAE: four PDPTEs that are loaded with CR3, then two levels. */
export const PAGING_PAE: GuestFormat = { ...PAGING_64, name: "PAE", rootLevel: 3, protectionKeys: false };

/** 4-level paging of long mode, and AMD's nested tables of a 64-bit host. */
export const PAGING_4_LEVEL: GuestFormat = { ...PAGING_64, name: "4-level", rootLevel: 4 };

/** 5-level paging of long mode (CR4.LA57). */
export const PAGING_5_LEVEL: GuestFormat = { ...PAGING_64, name: "5-level", rootLevel: 5 };

/** EPT tables that a guest hypervisor keeps, 4 levels. */
export const EPT_4_LEVEL: GuestFormat = { ...EPT, name: "EPT 4-level", rootLevel: 4 };

/** EPT tables that a guest hypervisor keeps, 5 levels. */
export const EPT_5_LEVEL: GuestFormat = { ...EPT, name: "EPT 5-level", rootLevel: 5 };
