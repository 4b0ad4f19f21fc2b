/**
 * SVM exit codes that the model makes (APM vol. 2, appendix C; facts sheet 7.6), as the `kvm_exit` tracepoint has them.
 *
 * @module
 */
import { SVM_EXIT_BASE } from "@mmu-lab/tracing";

/** A page fault: exception 14. */
export const SVM_EXIT_PF_EXCP: number = SVM_EXIT_BASE + 0x4e;
/** Port I/O. */
export const SVM_EXIT_IOIO: number = SVM_EXIT_BASE + 0x7b;
/** A nested entry did not allow the access, or has a reserved bit set. */
export const SVM_EXIT_NPF: number = SVM_EXIT_BASE + 0x400;
