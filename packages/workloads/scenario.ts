/**
 * The contract of a scenario: what happens to a VM, as plain data. It can be written to JSON and back, and run on any
 * profile with any strategy.
 *
 * @module
 */
import type { AccessKind, AccessSize, HostRegion } from "@mmu-lab/machine";
import type { MemoryRegion } from "@mmu-lab/memslots";

/** One guest instruction that accesses memory. */
export interface AccessOperation {
  /** `read`, `write`, or `rmw`: a read-modify-write, `addl`. */
  readonly op: AccessKind;
  /** Which vCPU. */
  readonly vcpu: number;
  /** Guest-virtual address; with paging off or an identity map also the guest-physical address. */
  readonly gva: number;
  /** Size in bytes, 1 to 8; it may cross a page. */
  readonly size: AccessSize;
  /** For `write`, what is written, and for `rmw`, what is added: hexadecimal with 0x; 0 unless told. */
  readonly value?: string;
}

/** A memslot ioctl (`KVM_SET_USER_MEMORY_REGION`). A size of 0 deletes. */
export interface MemslotOperation extends MemoryRegion {
  /** Its kind of operation. */
  readonly op: "memslot";
}

/** Many changes of a slot's flags in a row, dirty logging on and off by turns. */
export interface BulkFlagsOperation {
  /** Its kind of operation. */
  readonly op: "bulk-flags";
  /** Address space; 0 unless told. */
  readonly asId?: number;
  /** Slot number. */
  readonly id: number;
  /** How many changes. */
  readonly count: number;
}

/** The dirty-log ioctl (`KVM_GET_DIRTY_LOG`). */
export interface DirtyLogOperation {
  /** Its kind of operation. */
  readonly op: "get-dirty-log";
  /** Slot number. */
  readonly id: number;
}

/** A vCPU enters or leaves system management mode, and with it the second address space. */
export interface SetSmmOperation {
  /** Its kind of operation. */
  readonly op: "set-smm";
  /** Which vCPU. */
  readonly vcpu: number;
  /** Whether it enters. */
  readonly on: boolean;
}

/** The program that runs the VM writes 8 bytes of its memory, an entry of a guest's page table, and does not tell KVM. */
export interface HostWriteOperation {
  /** Its kind of operation. */
  readonly op: "host-write";
  /** Host virtual address, a multiple of 8. */
  readonly hva: number;
  /** What is written: hexadecimal with 0x. */
  readonly value: string;
}

/**
 * The guest loads CR3: the address of other page tables. An exit where KVM shadows the guest's tables, and nothing that KVM
 * sees elsewhere.
 */
export interface LoadCr3Operation {
  /** Its kind of operation. */
  readonly op: "load-cr3";
  /** Which vCPU. */
  readonly vcpu: number;
  /** Guest-physical address of the outermost table, a multiple of 4096. */
  readonly cr3: number;
}

/** The guest forgets the translation of one address (`INVLPG`); an exit where loading CR3 is one. */
export interface InvlpgOperation {
  /** Its kind of operation. */
  readonly op: "invlpg";
  /** Which vCPU. */
  readonly vcpu: number;
  /** The address. */
  readonly gva: number;
}

/**
 * A vCPU goes from the guest, L1, to a guest of its guest, L2, or back; accesses are then of the one that runs. One that
 * L1's EPT does not allow leaves L2 by itself. For profiles with nested paging.
 */
export interface SwitchLevelOperation {
  /** Its kind of operation. */
  readonly op: "enter-l2" | "leave-l2";
  /** Which vCPU. */
  readonly vcpu: number;
  /** For `enter-l2`: the EPTP in L1's VMCS, the guest-physical address of an EPT and 0x1e. */
  readonly eptp?: number;
}

/** L1 flushes what its vCPU remembers of its EPTs (`INVEPT`). */
export interface InveptOperation {
  /** Its kind of operation. */
  readonly op: "invept";
  /** Which vCPU. */
  readonly vcpu: number;
  /** Of which EPT; of all unless told. */
  readonly eptp?: number;
}

/** A vCPU is created, started (it runs to its first hand-over to user space), or the VM is destroyed. */
export interface LifeOperation {
  /** Its kind of operation. */
  readonly op: "vcpu-create" | "vcpu-start" | "vm-destroy";
  /** Which vCPU; 0 unless told. */
  readonly vcpu?: number;
}

/** One operation of a scenario. */
export type Operation =
  & (
    | AccessOperation
    | MemslotOperation
    | BulkFlagsOperation
    | DirtyLogOperation
    | SetSmmOperation
    | HostWriteOperation
    | LoadCr3Operation
    | InvlpgOperation
    | SwitchLevelOperation
    | InveptOperation
    | LifeOperation
  )
  & {
    /** The number that a recording gives the operation, if it comes from one. */
    readonly seq?: number;
  };

/** What happens to a VM. */
export interface Scenario {
  /** Version of this format. */
  readonly version: 1;
  /** A short name. */
  readonly name: string;
  /** What it is for, in a line. */
  readonly description?: string;
  /**
   * The guest: `flat` has paging off and no code; `recorder` is the guest of the recordings, whose page-table walks and
   * instruction fetches touch memory too; `recorder-4k` is the same with page tables for pages of 4 KiB in its memory,
   * which profiles with shadow paging shadow. `paged` is the flat guest in long mode: page tables that the scenario puts
   * into its memory, and that the guest may change, map what is accessed to itself. Profiles with shadow paging shadow
   * them; others run it as `flat`, where all it does is the same but for its tables.
   */
  readonly guest: "flat" | "paged" | "recorder" | "recorder-4k";
  /** CR3 of the guest `paged` as its vCPUs start: guest-physical address of the outermost table, a multiple of 4096. */
  readonly cr3?: number;
  /** Host memory that is set aside for slots. */
  readonly hostMemory: readonly HostRegion[];
  /**
   * Shadow pages the VM may have, at least 64 (`KVM_SET_NR_MMU_PAGES`); KVM's own limit, 2 percent of the slots' pages, unless told.
   */
  readonly maxShadowPages?: number;
  /** What happens, in order. */
  readonly operations: readonly Operation[];
}
