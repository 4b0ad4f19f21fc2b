import type { TraceLine } from "@mmu-lab/tracing";
import type { Operation, Scenario } from "./scenario.ts";

/** What came of a recorded operation: the words of its `done` marker. */
export interface RecordedOutcome {
  /** 0 or a negative errno. */
  readonly ret: number;
  /** Of an access: whether any part of it was served by user space. */
  readonly kind?: "ram" | "mmio";
  /** Of an access: exits to user space for reads. */
  readonly mmioReads?: number;
  /** Of an access: exits to user space for writes. */
  readonly mmioWrites?: number;
  /** Of an access: what a read got, 0x0 for others; hexadecimal with 0x, up to 64 bits. */
  readonly value?: string;
  /** Of the dirty-log ioctl: how many pages were dirty. */
  readonly dirty?: number;
  /** Of the dirty-log ioctl: their indexes in the slot, with commas, cut at 180 characters; `-` for none. */
  readonly pages?: string;
  /** Of many flags changes in a row: the slot's flags after them. */
  readonly flags?: number;
}

/** An operation of a recording, its outcome, and what the kernel said meanwhile. */
export interface RecordedOperation {
  /** Its number. */
  readonly seq: number;
  /** What was asked. */
  readonly operation: Operation;
  /** What came of it. */
  readonly outcome: RecordedOutcome;
  /** Line of its first marker, from 1. */
  readonly startLine: number;
  /** Line of its `done` marker. */
  readonly endLine: number;
  /** Events between its markers: of an operation that overlaps with others, those of its own thread. */
  readonly events: readonly TraceLine[];
}

/** What a recording says of itself before its first operation. */
export interface RecordingHeader {
  /** Name of the scenario, such as `s10`. */
  readonly name: string;
  /** Configuration of the recorded kernel, such as `ept`. */
  readonly cfg: string;
  /** Seed of its random choices, if it makes any. */
  readonly seed: number;
  /** How many vCPUs it has. */
  readonly vcpus: number;
  /** The guest's own page tables, such as `1g-identity`. */
  readonly guestPaging: string;
  /** Quirks of KVM that were disabled before anything else (`KVM_CAP_DISABLE_QUIRKS2`), as bits; 0 if none was. */
  readonly disabledQuirks: number;
  /** What the kernel said while the VM was made. */
  readonly creation: readonly TraceLine[];
  /** The VM as a scenario, its operations aside. */
  readonly setting: Omit<Scenario, "operations">;
}

/** Operations that overlap, from a moment when none runs to the next; nearly always one alone. */
export interface RecordedStretch {
  /** The recording that they belong to: another object for each VM of a trace. */
  readonly header: RecordingHeader;
  /** The operations, in the order in which they began. */
  readonly operations: readonly RecordedOperation[];
  /**
   * Whose turn it was: an index into `operations` for each first marker, event and `done` marker, in the order of the
   * trace. Empty for an operation alone.
   */
  readonly order: readonly number[];
}

/** A trace made by the recorder. */
export interface Recording extends RecordingHeader {
  /** Events before the first operation; those of the VM's creation are among them. */
  readonly before: readonly TraceLine[];
  /** What was asked, in order, and what came of it. */
  readonly operations: readonly (RecordedOperation & {
    /** Events between its `done` marker and the next operation, which belong to nobody. */
    readonly after: readonly TraceLine[];
  })[];
  /** The same operations, as they overlap. */
  readonly stretches: readonly RecordedStretch[];
  /** The same as a scenario. */
  readonly scenario: Scenario;
}
