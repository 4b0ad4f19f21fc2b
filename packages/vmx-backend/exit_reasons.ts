/**
 * VMX basic exit reasons that the model makes (SDM vol. 3, appendix C; facts sheet 7.1).
 *
 * @module
 */

/** An exception, here a page fault of a guest without EPT, or an NMI. */
export const EXIT_REASON_EXCEPTION_NMI: number = 0;
/** Port I/O. */
export const EXIT_REASON_IO_INSTRUCTION: number = 30;
/** An EPT entry did not allow the access. */
export const EXIT_REASON_EPT_VIOLATION: number = 48;
/** An EPT entry made no sense. */
export const EXIT_REASON_EPT_MISCONFIG: number = 49;
