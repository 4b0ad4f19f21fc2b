import type { AccessKind, AccessSize } from "@mmu-lab/machine";
import type { AccessOperation } from "./scenario.ts";

const PAGE = 0x1000;

/** One `kvm_mmio` event. */
export interface MmioEvent {
  readonly type: "unsatisfied-read" | "read" | "write";
  readonly gpa: number;
  /** Bytes. */
  readonly len: number;
  /** As printed: bits above `len` bytes mean nothing. */
  readonly val: bigint;
}

/** An access that later events may still make longer, or turn from a read into a read-modify-write. */
export interface AccessDraft {
  op: AccessKind;
  readonly vcpu: number;
  readonly gva: number;
  size: number;
  value: bigint;
}

/** What a vCPU's emulator is in the middle of. */
interface Pending {
  readonly draft: AccessDraft;
  /** Whether the draft is a read whose data has not come back yet. */
  waits: boolean;
  /** What the read got. */
  got: bigint;
  /** Bytes written so far, for a write that crosses a page. */
  written: number;
}

/** Drafts of accesses from `kvm_mmio` events, a vCPU at a time. */
export class AccessDrafts {
  readonly #pending: Map<number, Pending> = new Map();

  /** The guest runs again: whatever its emulator was in the middle of is over. */
  entered(vcpu: number): void {
    this.#pending.delete(vcpu);
  }

  /** @returns A new draft, or nothing if the event belongs to one that was returned before. */
  add(vcpu: number, event: MmioEvent): AccessDraft | undefined {
    const pending = this.#pending.get(vcpu);
    if (pending !== undefined && this.#continues(pending, event)) return undefined;
    const op = event.type === "write" ? "write" : "read";
    const val = lowBytes(event.val, event.len);
    const draft = { op, vcpu, gva: event.gpa, size: event.len, value: op === "write" ? val : 0n } as const;
    const written = op === "write" ? event.len : 0;
    const next: Pending = { draft: { ...draft }, waits: event.type === "unsatisfied-read", got: val, written };
    this.#pending.set(vcpu, next);
    return next.draft;
  }

  #continues(pending: Pending, event: MmioEvent): boolean {
    const { draft } = pending;
    if (event.type === "read" && pending.waits && event.gpa === draft.gva) {
      // The first piece of a read that crosses a page is printed alone, its data as a whole.
      if ((draft.gva + draft.size) % PAGE === 0) draft.size = event.len;
      pending.waits = false;
      pending.got = lowBytes(event.val, draft.size);
      return true;
    }
    if (event.type !== "write" || pending.waits) return false;
    const startsRmw = draft.op === "read" && event.gpa === draft.gva && event.len <= draft.size;
    const at = draft.gva + pending.written;
    const crosses = draft.op !== "read" && pending.written > 0 && event.gpa === at && at % PAGE === 0 &&
      (draft.op === "write" || pending.written < draft.size);
    if (!startsRmw && !crosses) return false;
    const value = lowBytes(event.val, event.len) << BigInt(8 * pending.written);
    pending.written += event.len;
    if (startsRmw) draft.op = "rmw";
    if (draft.op === "rmw") draft.value = lowBytes(draft.value + value - (startsRmw ? pending.got : 0n), draft.size);
    else {
      draft.value |= value;
      draft.size = pending.written;
    }
    return true;
  }
}

/** The draft as it stands. */
export function accessOf({ op, vcpu, gva, size, value }: AccessDraft): AccessOperation {
  const operation = { op, vcpu, gva, size: size as AccessSize };
  return op === "read" ? operation : { ...operation, value: "0x" + value.toString(16) };
}

function lowBytes(value: bigint, bytes: number): bigint {
  return BigInt.asUintN(8 * bytes, value);
}
