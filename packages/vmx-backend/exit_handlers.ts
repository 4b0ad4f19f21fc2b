import {
  contextOf,
  handleMmioPageFault,
  MmioFault,
  type Mmu,
  mmuPageFault,
  PFERR_RSVD,
  type VcpuMmu,
} from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { EPT_MISCONFIG_RET, KVM_PAGE_FAULT } from "@mmu-lab/tracing";
import { type ErrorCodeRule, isInvalidQualification, violationErrorCode } from "./exit_qualification.ts";

/** KVM does not know what the exit was: `KVM_EXIT_UNKNOWN` to user space. */
export class UnknownExitError extends Error {
  /**
   * Makes the error.
   *
   * @param reason The processor's exit reason.
   * @param gpa The guest-physical address.
   */
  constructor(readonly reason: number, readonly gpa: number) {
    super(`Cannot handle exit ${reason} at gpa 0x${gpa.toString(16)}: KVM_EXIT_UNKNOWN`);
    this.name = "UnknownExitError";
  }
}

/**
 * Handles an EPT violation (`handle_ept_violation`, 3.11 vmx.c; facts sheet 7.4).
 *
 * @param rule Which kernel's error code it makes.
 * @throws {UnknownExitError} If the qualification makes no sense.
 */
export function* handleEptViolation(mmu: Mmu, vcpu: VcpuMmu, rule: ErrorCodeRule): Protocol<number> {
  const { gpa, info1, reason } = vcpu.exit;
  if (isInvalidQualification(info1)) throw new UnknownExitError(reason, gpa);
  if (mmu.trace.on) mmu.trace.emit(KVM_PAGE_FAULT, vcpu.index, vcpu.rip, gpa, gpa / 2 ** 32, info1);
  // What an exit to L1 will say of the access, if it comes to one (arch.exit_qualification).
  if (vcpu.inL2) contextOf(vcpu).walk.exitQualification = info1;
  return yield* mmuPageFault(mmu, vcpu, gpa, violationErrorCode(info1, rule));
}

/**
 * Handles an EPT misconfiguration, which is how an MMIO spte shows (`handle_ept_misconfig`, 3.11 vmx.c; facts sheet 2.6).
 * A stale spte goes the long way as a plain read, for the exit does not tell what the access was.
 *
 * @throws {UnknownExitError} If the entry is neither an MMIO spte nor gone (`RET_MMIO_PF_BUG`).
 */
export function* handleEptMisconfig(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
  const { gpa, reason } = vcpu.exit;
  if (mmu.faultRules.misconfigurationIsFault) return yield* mmuPageFault(mmu, vcpu, gpa, PFERR_RSVD);
  vcpu.forgetExit();
  mmu.execution.keepOnly(gpa, PFERR_RSVD);
  const fault = yield* handleMmioPageFault(mmu, vcpu, gpa);
  if (fault === MmioFault.BUG) throw new UnknownExitError(reason, gpa);
  let result = 1;
  if (fault === MmioFault.EMULATE) {
    result = (yield* mmu.emulator.emulate(vcpu, gpa, false)) === "done" ? 1 : 0;
  } else if (fault === MmioFault.INVALID) {
    result = yield* mmuPageFault(mmu, vcpu, gpa, 0);
  }
  if (mmu.trace.on) mmu.trace.emit(EPT_MISCONFIG_RET, vcpu.index, result);
  return result;
}
