/** What kernels do differently in the fault path; KVM policy throughout. A profile chooses. */
export interface FaultRules {
  /**
   * Who handles a fault. `by-mode`: the handler of the MMU does all of it, the MMIO sptes too, and says whether to emulate
   * (to 4.14). `common`: `kvm_mmu_page_fault` looks at the MMIO sptes first, calls the handler for what they cannot answer,
   * and counts what that says became of the fault (`RET_PF_*`, as in 6.1). Facts sheet 3.6, 3.7.
   */
  readonly handler: "by-mode" | "common";
  /**
   * What a writable entry that is written over saves. `when-syncing`: if guest tables must not go out of date meanwhile,
   * the look for such tables and the mark in the dirty log (to 4.19). `always`: that look, and the dirty bit, whatever the old
   * entry was (6.1 `make_spte`); the kernel looks at bit 1 without asking, and an MMIO spte has it set (facts sheet 12).
   */
  readonly trustsWritable: "when-syncing" | "always";
  /** Whether `mark_mmio_spte` shows the low three bits of the spte (6.1), and not the access. Only the tracepoint shows it. */
  readonly tracesSpteBits?: boolean;
  /**
   * What becomes of an MMIO fault whose entry turns out to be neither MMIO nor gone. `bug`: the vCPU dies with
   * `RET_MMIO_PF_BUG` (3.11; another vCPU may have mapped memory there meanwhile, which is bug B23). `retry`: the processor
   * tries again, as entries with reserved bits are looked for in another way (from 4.4 on). Facts sheet 2.7, 3.3.
   */
  readonly unexpectedSpte: "bug" | "retry";
  /**
   * What a fault makes of a slot that is about to be deleted or moved, and so marked invalid. `mmio`: there is none, the
   * access is MMIO (to 5.12). `retry`: the processor tries again, until it is known (from 5.13 on). Facts sheet 3.4, 4.7.
   */
  readonly invalidSlot: "mmio" | "retry";
  /**
   * What becomes of a mapping where an MMIO spte is to be written. `dropped`: it goes first, and TLBs are flushed.
   * `overwritten`: it is written over, as the TDP MMU did from 5.10 on (bug B24), and the shadow MMU from 5.13 to 2026
   * (bug B25).
   */
  readonly mappingUnderMmio: "dropped" | "overwritten";
  /**
   * Whether each exit to user space for MMIO is counted, by the emulator (6.1), or only those that come by way of the
   * page-fault handler (to 4.19). Facts sheet 2.6, 9.1.
   */
  readonly countsAllMmioExits?: boolean;
  /**
   * Whether the handler tells a write to a guest's table from other writes that must be emulated (`RET_PF_WRITE_PROTECTED`,
   * 6.12 mmu_internal.h; facts sheet 3.7). Then only such a write may be sent back to the guest instead; before, any fault
   * on a page that is not remembered as MMIO.
   */
  readonly tellsWriteProtected?: boolean;
  /** Whether the handler sees all 64 bits of an error code (6.12), and not the low half (6.1). Only a tracepoint shows it. */
  readonly fullErrorCode?: boolean;
  /**
   * Whether an EPT misconfiguration passes the page-fault handler, as a fault for a reserved bit (4.19, 6.1), or a handler of
   * its own asks for MMIO sptes and emulates (3.11, 4.10). Facts sheet 3.6.
   */
  readonly misconfigurationIsFault?: boolean;
  /**
   * What a sync of a shadow page does with an MMIO spte whose guest entry is still the same. `stamped-anew`: it gets the
   * generation of now, and nobody looks whether the gfn still has no slot (3.11 to 6.12; facts sheet 3.5), so that a
   * guest that flushes its TLB makes a stale MMIO spte good again. `looked-up`: it goes if there is a slot; no kernel.
   */
  readonly syncedMmioSpte: "stamped-anew" | "looked-up";
  /**
   * Which address the emulator takes for its operand. `walked`: what the guest's tables say (to 4.10, and unless told).
   * `of-the-exit`: that of the exit, without a walk, where the vCPU's cache says that it is MMIO, be it an address of L2
   * ("Use the hardware provided GPA instead of page walk", 4.11 on AMD, soon after on Intel; bug B19). `of-the-fault`: that
   * one, MMIO or not, where it is a guest-physical address of L1 (`gpa_val`, from 4.14 on). Always only if its offset in
   * the page is the operand's. Where there is no L2 all come to the same, but for what a walk leaves behind.
   */
  readonly emulatedAddress?: "walked" | "of-the-exit" | "of-the-fault";
}

/** The rules of 3.11. */
export const FAULT_RULES_3_11: FaultRules = {
  handler: "by-mode",
  trustsWritable: "when-syncing",
  unexpectedSpte: "bug",
  invalidSlot: "mmio",
  mappingUnderMmio: "dropped",
  syncedMmioSpte: "stamped-anew",
};

/** The rules of 6.1. */
export const FAULT_RULES_6_1: FaultRules = {
  ...FAULT_RULES_3_11,
  handler: "common",
  trustsWritable: "always",
  tracesSpteBits: true,
  unexpectedSpte: "retry",
  invalidSlot: "retry",
  countsAllMmioExits: true,
  misconfigurationIsFault: true,
  emulatedAddress: "of-the-fault",
};
