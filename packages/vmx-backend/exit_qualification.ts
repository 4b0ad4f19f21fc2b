/**
 * The exit qualification of an EPT violation and what kernels make of it (facts sheet 7.4), and that of port I/O.
 *
 * @module
 */

import {
  PFERR_FETCH,
  PFERR_GUEST_FINAL,
  PFERR_GUEST_PAGE,
  PFERR_PRESENT,
  PFERR_USER,
  PFERR_WRITE,
} from "@mmu-lab/paging";

/** Bit 7: the guest-linear address is valid. Architecture. */
export const GLA_VALID: number = 0x80;
/** Bit 8: the access was to the translation of that address, not to a guest paging-structure entry. Architecture. */
export const FINAL_TRANSLATION: number = 0x100;

/**
 * Makes the qualification of an EPT violation.
 *
 * @param access What the access did: read 1, write 2, fetch 4; bits 2:0.
 * @param rights What all entries of the walk allow together; bits 5:3.
 * @param final Whether the address was the final one, and not that of a guest page-table entry.
 */
export function violationQualification(access: number, rights: number, final: boolean): number {
  return access | (rights << 3) | GLA_VALID | (final ? FINAL_TRANSLATION : 0);
}

/** Whether bits 8:7 make no sense: `KVM_EXIT_UNKNOWN` (`handle_ept_violation`, 3.11 vmx.c). */
export function isInvalidQualification(qualification: number): boolean {
  return ((qualification >> 7) & 3) === 2;
}

/**
 * Which kernel's page-fault error code an EPT violation makes (facts sheet 7.4), named by the kernel that was read:
 *
 * | rule | WRITE | USER | FETCH | PRESENT | GUEST_FINAL, GUEST_PAGE |
 * |---|---|---|---|---|---|
 * | `3.11` | bit 1 | never | never | bit 3 alone | never |
 * | `3.13` | bit 1 | never | bit 2 | bit 3 alone | never |
 * | `4.10` | bit 1 | bit 0: a data read is called USER | bit 2 | any of bits 5:3 | never |
 * | `4.19` | bit 1 | bit 0 | bit 2 | any of bits 5:3 | by bit 8, always one of them |
 *
 * `6.1` and `6.12` make those of `4.19`; their sptes differ.
 */
export type ErrorCodeRule = "3.11" | "3.13" | "4.10" | "4.19" | "6.1" | "6.12";

/**
 * The page-fault error code of an EPT violation.
 *
 * @param qualification The exit qualification.
 * @param rule Which kernel's.
 * @returns PFERR bits; with `4.19` and later above 2^32.
 */
export function violationErrorCode(qualification: number, rule: ErrorCodeRule): number {
  const write = (qualification & 2) !== 0 ? PFERR_WRITE : 0;
  const readable = (qualification >> 3) & PFERR_PRESENT;
  if (rule === "3.11") return write | readable;
  const fetch = (qualification & 4) !== 0 ? PFERR_FETCH : 0;
  if (rule === "3.13") return write | fetch | readable;
  const user = (qualification & 1) !== 0 ? PFERR_USER : 0;
  const present = (qualification & 0x38) !== 0 ? PFERR_PRESENT : 0;
  const code = write | user | fetch | present;
  if (rule === "4.10") return code;
  return code + ((qualification & FINAL_TRANSLATION) !== 0 ? PFERR_GUEST_FINAL : PFERR_GUEST_PAGE);
}

/** The qualification of an `OUT` of one byte to a port that the instruction names (SDM vol. 3, table 27-5). Architecture. */
export function outQualification(port: number): number {
  return (port << 16) | 0x40;
}
