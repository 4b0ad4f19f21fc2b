/**
 * The exit qualification of an EPT violation, and what 3.11 makes of it (facts sheet 7.4).
 *
 * @module
 */

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
 * The page-fault error code of an EPT violation in 3.11: WRITE from bit 1, PRESENT from bit 3, never USER or FETCH.
 *
 * @param qualification The exit qualification.
 */
export function violationErrorCode(qualification: number): number {
  return (qualification & 2) | ((qualification >> 3) & 1);
}
