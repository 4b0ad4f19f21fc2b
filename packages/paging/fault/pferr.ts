/**
 * Bits of the page-fault error code that KVM passes around (facts sheet 0.2).
 *
 * @module
 */

/** The translation was present. */
export const PFERR_PRESENT: number = 1;
/** The access was a write. */
export const PFERR_WRITE: number = 2;
/** The access was by guest user mode. */
export const PFERR_USER: number = 4;
/** A reserved bit was set in a translation. */
export const PFERR_RSVD: number = 8;
/** The access was an instruction fetch. */
export const PFERR_FETCH: number = 16;
/** A protection key forbade the access. */
export const PFERR_PK: number = 32;
/** Bit 32: the fault was in the final translation of a guest address. */
export const PFERR_GUEST_FINAL: number = 2 ** 32;
/** Bit 33: the fault was in the translation of a guest page table. */
export const PFERR_GUEST_PAGE: number = 2 ** 33;
/** Bit 48, KVM's own: an access that the processor makes for the supervisor by itself, and EFLAGS.AC does not excuse. */
export const PFERR_IMPLICIT_ACCESS: number = 2 ** 48;
