/**
 * Access bits of a guest mapping, as KVM passes them around. Source: facts sheet 0.2; 3.11 `mmu.c`.
 *
 * @module
 */

/** `ACC_EXEC_MASK`: the guest may execute. MMIO sptes do not keep it (facts sheet 2.4). */
export const ACC_EXEC = 1;
/** `ACC_WRITE_MASK`: the guest may write. */
export const ACC_WRITE = 2;
/** `ACC_USER_MASK`: guest user mode may access. */
export const ACC_USER = 4;
/** `ACC_ALL`: all three. */
export const ACC_ALL = 7;
