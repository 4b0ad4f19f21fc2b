import type { GuestWalker, VcpuMmu, WalkMmu } from "@mmu-lab/paging";
import type { AccessKind, AccessSize } from "./guest.ts";

/** An exit from L2 that L1 gets: an EPT violation or misconfiguration in its own EPT. */
export interface ExitToL1 {
  /** Which of the two. */
  readonly kind: "ept-violation" | "ept-misconfiguration";
  /** The exit qualification; 0 for a misconfiguration. */
  readonly qualification: number;
  /** The guest-physical address of L2. */
  readonly gpa: number;
}

/** What became of an access. Each vCPU has one, overwritten by its next access. */
export class AccessOutcome {
  /** Exits to user space for MMIO reads. */
  mmioReads = 0;
  /** Exits to user space for MMIO writes. */
  mmioWrites = 0;
  /** MMIO fragments served by devices in the kernel. */
  deviceAccesses = 0;
  /** Fragments of the access that reached guest memory, by the processor or by emulation. */
  ramAccesses = 0;
  /** Error code of the page fault that the guest got instead, or -1. */
  faultCode: number = -1;
  /** The exit that L1 got instead, if L2's access came to one; the vCPU then runs L1. */
  exitToL1: ExitToL1 | undefined = undefined;
  /** What a read got: `size` bytes, little endian, the rest zero. */
  readonly data: Uint8Array = new Uint8Array(8);

  /** `mmio` if any part of the access left for a device, in the kernel or not. */
  get kind(): "ram" | "mmio" {
    return this.mmioReads + this.mmioWrites + this.deviceAccesses > 0 ? "mmio" : "ram";
  }

  /** What a read got, as a number for people. Allocates. */
  get value(): bigint {
    return new DataView(this.data.buffer).getBigUint64(0, true);
  }

  /** Makes it blank. */
  clear(): void {
    this.mmioReads = 0;
    this.mmioWrites = 0;
    this.deviceAccesses = 0;
    this.ramAccesses = 0;
    this.faultCode = -1;
    this.exitToL1 = undefined;
    this.data.fill(0);
  }
}

/** One page's piece of an emulated MMIO access (`struct kvm_mmio_fragment`): at most 8 bytes. */
export interface MmioFragment {
  /** Guest-physical address of its first byte. */
  gpa: number;
  /** Where its bytes lie in the operand. */
  at: number;
  /** How many bytes. */
  length: number;
}

/** How KVM walks the guest's tables for the emulator (`walk_mmu`). */
export interface EmulatorWalk {
  /** Which tables, and how. */
  readonly walk: WalkMmu;
  /** What the last walk left behind. */
  readonly walker: GuestWalker;
  /** Whether the guest runs in user mode. */
  readonly userMode: boolean;
}

/** A virtual CPU: its MMU, the instruction it is at, and what its emulator remembers. */
export class Vcpu {
  /** Its number. */
  readonly index: number;
  /** Its MMU state. */
  readonly mmu: VcpuMmu;
  /** How KVM walks the guest's tables; `undefined` if the guest has none in its memory. */
  readonly emulatorWalk: EmulatorWalk | undefined;
  /** What became of the last access. */
  readonly outcome: AccessOutcome = new AccessOutcome();

  /** What the instruction that is being executed does. */
  kind: AccessKind = "read";
  /** The linear page number of its address. */
  page = 0;
  /** The offset of its address in that page. */
  offset = 0;
  /** Its size in bytes. */
  size: AccessSize = 4;
  /** Where the instruction lies; 0 without guest code. */
  rip = 0;
  /** What it writes, or adds: 8 bytes, little endian. */
  readonly operand: Uint8Array = new Uint8Array(8);
  /** Whether the guest runs: between entry and exit. */
  inGuest = false;

  /**
   * The emulator's buffer of what it read last (`ctxt->mem_read.data`). It is not cleared between instructions, which
   * shows in the `kvm_mmio` tracepoint: that prints 8 bytes whatever the size.
   */
  readonly readBuffer: Uint8Array = new Uint8Array(16);
  /** What an emulated write stores: the 8 bytes of the destination, and zeros behind them. */
  readonly writeBuffer: Uint8Array = new Uint8Array(16);
  /** Fragments that wait for user space. */
  readonly fragments: [MmioFragment, MmioFragment] = [{ gpa: 0, at: 0, length: 0 }, { gpa: 0, at: 0, length: 0 }];
  /** How many of them there are. */
  fragmentCount = 0;
  /** Whether they are written. */
  fragmentsWrite = false;
  /** Whether user space has supplied the data of a read, for the emulator's second pass. */
  readCompleted = false;
  /** Whether the instruction has been completed by emulation, so that the guest does not execute it any more. */
  emulated = false;
  /** The address of the fault for which an instruction was emulated last (`gpa_val`). */
  faultAddress = 0;
  /** `last_retry_eip`: where an instruction was sent back to the guest instead of being emulated. */
  lastRetryRip = 0;
  /** `last_retry_addr`: with which address. */
  lastRetryAddress = 0;

  /**
   * Makes a vCPU that has not run.
   *
   * @param mmu Its MMU state.
   * @param emulatorWalk How KVM walks its guest's tables, if it has any.
   */
  constructor(mmu: VcpuMmu, emulatorWalk?: EmulatorWalk) {
    this.index = mmu.index;
    this.mmu = mmu;
    this.emulatorWalk = emulatorWalk;
  }

  /** The guest goes on, and never executes the same instruction again: that it was sent back to it matters no more. */
  goesOn(): void {
    this.lastRetryRip = 0;
    this.lastRetryAddress = 0;
  }

  /** Puts what the instruction stores into the write buffer: its operand, or the sum of that and what it read. */
  prepareWrite(): void {
    const { writeBuffer, operand, size } = this;
    writeBuffer.fill(0);
    let carry = 0;
    for (let i = 0; i < size; i++) {
      const sum = operand[i] + (this.kind === "rmw" ? this.outcome.data[i] + carry : 0);
      writeBuffer[i] = sum;
      carry = sum >> 8;
    }
  }
}
