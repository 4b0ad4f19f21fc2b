/**
 * EXITINFO1 of the exits that the model makes (APM vol. 2, 15.10.2, 15.25.6; facts sheet 7.6), and what kernels make of
 * that of a nested page fault.
 *
 * @module
 */
import {
  Access,
  type GuestExit,
  PFERR_FETCH,
  PFERR_GUEST_FINAL,
  PFERR_GUEST_PAGE,
  PFERR_USER,
  PFERR_WRITE,
} from "@mmu-lab/paging";
import { SVM_EXIT_IOIO } from "./exit_codes.ts";

/**
 * Makes EXITINFO1 of a nested page fault. A guest's access counts as one of user mode always.
 *
 * @param access What the access did: one of `Access`.
 * @param cause `PFERR_PRESENT` or `PFERR_RSVD` or both; 0 where nothing is mapped.
 * @param final Whether the address was the final one, and not that of an entry of the guest's tables.
 * @returns PFERR bits, those above bit 31 among them.
 */
export function nestedFaultInfo(access: number, cause: number, final: boolean): number {
  const write = access === Access.WRITE ? PFERR_WRITE : 0;
  const fetch = access === Access.FETCH ? PFERR_FETCH : 0;
  return (PFERR_USER | write | fetch | cause) + (final ? PFERR_GUEST_FINAL : PFERR_GUEST_PAGE);
}

/**
 * EXITINFO1 of an `OUT` of one byte: the port, and bit 4 for the size. The bits for the size of addresses stay 0, as in
 * the recordings: only string instructions have an address, and KVM reads them for none.
 */
export function outInfo(port: number): number {
  return (port << 16) | 0x10;
}

/**
 * Fills in the exit of an `OUT` of one byte.
 *
 * @param exit The exit. @param port The port. @param nextRip Where the guest goes on.
 */
export function exitForOut(exit: GuestExit, port: number, nextRip: number): void {
  exit.reason = SVM_EXIT_IOIO;
  exit.info1 = outInfo(port);
  exit.info2 = nextRip;
  exit.gpa = 0;
}
