/**
 * The contract of a hardware backend: how a processor translates, which exits that makes, and how KVM's handlers of
 * those exits call the MMU. VMX and SVM each bring one.
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import type { SpteBits } from "./pages/spte_bits.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** What an access does, as bits that can be or-ed. */
export const Access: { readonly READ: 1; readonly WRITE: 2; readonly FETCH: 4 } = {
  /** Reads data. */
  READ: 1,
  /** Writes data. */
  WRITE: 2,
  /** Fetches an instruction. */
  FETCH: 4,
};

/**
 * An exit from the guest, as the processor reports it. Each vCPU has one, overwritten by its next exit. The two words are
 * what the `kvm_exit` tracepoint shows.
 */
export interface GuestExit {
  /** Why: VMX's basic exit reason, or SVM's exit code and `SVM_EXIT_BASE` of `@mmu-lab/tracing`. */
  reason: number;
  /** VMX: the exit qualification. SVM: EXITINFO1. Below 2^53. */
  info1: number;
  /** VMX: interruption information, 0 for the exits made here. SVM: EXITINFO2. Below 2^53. */
  info2: number;
  /** The guest-physical address of a nested page fault; without nested paging on SVM the linear address of a page fault. */
  gpa: number;
}

/** The guest's own paging, as far as a backend must know it to walk as the processor does. */
export interface GuestPaging {
  /** How many guest entries a walk reads; 0 with paging off. */
  readonly levels: number;
  /** gpa of the entry that a walk for `gva` reads as number `step`, the outermost being 0. */
  entryGpa(gva: number, step: number): number;
  /** The guest-physical address of `gva`. */
  translate(gva: number): number;
  /** Whether the entries lie in guest memory, where the processor sets accessed and dirty bits in them. */
  readonly inMemory?: boolean;
}

/** A processor with KVM's handlers of its exits. */
export interface HardwareBackend {
  /** A short name, for people. */
  readonly name: string;
  /** How sptes look in its tables. */
  readonly bits: SpteBits;
  /** Whether there is no two-dimensional paging, so that KVM shadows the guest's tables; if not told there is. */
  readonly shadowsGuestTables?: boolean;
  /** Without two-dimensional paging: whether the processor has 5-level paging, and so the guest; not unless told. */
  readonly la57?: boolean;
  /**
   * Whether the tracepoint of an exit shows interruption information and error code in fields of their own (VMX from 5.10
   * on), and not as the second word, where the exit has them.
   */
  readonly tracesInterruptionApart?: boolean;
  /**
   * Whether a vCPU is asked to flush its TLB when a processor takes it on (`vmx_vcpu_load`), which is before it runs first: this
   * machine's vCPUs stay where they are. KVM policy.
   */
  readonly flushesLoadedVcpu?: boolean;
  /** The largest page that it maps: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
  /**
   * How an instruction that reads and writes one operand translates its address. `write`: once, as a write.
   * `read-then-write`: as a read and then as a write, so that it can fault on either.
   */
  readonly readModifyWrite: "write" | "read-then-write";
  /**
   * Translates as the processor does: walks the guest's tables and the shadow tables with their real entries, sets
   * accessed and dirty bits, fills the TLB. One atomic act.
   *
   * @param gva Linear address, with its sign; see `linear_address.ts`.
   * @param access One of {@linkcode Access}.
   * @returns The host frame, or -1: then the vCPU leaves the guest, and `vcpu.exit` says why.
   */
  translate(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number): number;
  /**
   * Leaves the guest for an `OUT` of one byte: fills `vcpu.exit`.
   *
   * @param port The port, which the instruction itself names.
   * @param nextRip Where the instruction after it lies.
   */
  exitForOut(vcpu: VcpuMmu, port: number, nextRip: number): void;
  /**
   * Handles the exit in `vcpu.exit`, unless it is for an `OUT`, which is user space's.
   *
   * @returns 1: run the guest on; 0: exit to user space; negative: an error.
   */
  handleExit(mmu: Mmu, vcpu: VcpuMmu): Protocol<number>;
}
