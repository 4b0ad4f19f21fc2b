/**
 * What a page-fault handler says became of a fault (`RET_PF_*`, 6.1 mmu_internal.h; facts sheet 3.7). Negative numbers are
 * errors.
 */
export const RetPf: {
  readonly CONTINUE: 0;
  readonly RETRY: 1;
  readonly EMULATE: 2;
  readonly INVALID: 3;
  readonly FIXED: 4;
  readonly SPURIOUS: 5;
  readonly WRITE_PROTECTED: 6;
} = {
  /** Not done yet: the caller goes on. */
  CONTINUE: 0,
  /** Let the processor try again. */
  RETRY: 1,
  /** Emulate the access. */
  EMULATE: 2,
  /** An MMIO spte was stale, or a fast path does not apply: go the long way. */
  INVALID: 3,
  /** The fault is mended. */
  FIXED: 4,
  /** Somebody else had mended it. */
  SPURIOUS: 5,
  /** It was a write to a guest table that is shadowed (6.12, where it is 3 and those after it one more). */
  WRITE_PROTECTED: 6,
};

/** One of the values of {@linkcode RetPf}. */
export type RetPfResult = (typeof RetPf)[keyof typeof RetPf];
