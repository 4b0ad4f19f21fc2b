import type { AccessKind, AccessSize } from "@mmu-lab/machine";
import type { TraceLine, TraceMarker } from "@mmu-lab/tracing";
import type { RecorderMemory } from "./_recorder_memory.ts";
import { recorderValue } from "./recorder_guest.ts";
import type { RecordedOutcome } from "./recording.ts";
import type { Operation } from "./scenario.ts";

/** What an operation's first marker becomes. Not in this list: what is not modelled. */
export const STARTS: Readonly<Record<string, (marker: TraceMarker, memory: RecorderMemory) => Operation>> = {
  read: access,
  write: access,
  rmw: access,
  memslot_create: (marker, memory) => memory.create(marker),
  memslot_delete: (marker, memory) => memory.delete(marker),
  memslot_move: (marker, memory) => memory.change(marker),
  memslot_flags: (marker, memory) => memory.change(marker),
  map: (marker, memory) => memory.writeEntry(marker),
  remap: (marker, memory) => memory.writeEntry(marker),
  bulk_memslot_flags: (marker) => ({ op: "bulk-flags", id: marker.num("id"), count: marker.num("count") }),
  get_dirty_log: (marker) => ({ op: "get-dirty-log", id: marker.num("id") }),
  set_smm: (marker) => ({ op: "set-smm", vcpu: marker.num("vcpu"), on: marker.num("smm") !== 0 }),
  vcpu_create: (marker) => ({ op: "vcpu-create", vcpu: marker.num("vcpu") }),
  vcpu_start: (marker) => ({ op: "vcpu-start", vcpu: marker.num("vcpu") }),
  vm_destroy: () => ({ op: "vm-destroy" }),
};

function access(marker: TraceMarker): Operation {
  const op = marker.op as AccessKind;
  const size = marker.num("size") as AccessSize;
  const value = op === "read" ? {} : { value: recorderValue(marker.seq, size) };
  return { op, vcpu: marker.num("vcpu"), gva: marker.num("gva"), size, ...value };
}

const MMIO_WRITE = /^mmio write len (\d+) gpa 0x[0-9a-f]+ val (0x[0-9a-f]+)$/;

/**
 * An access with the value that it stored. The recorder computes that from its counter before it takes the operation's number
 * from there (memslot_lab.c, `access_as`): a thread that is held up in between stores the value of an older operation, any
 * that began since its own last one. Where a device is written, the trace tells which.
 *
 * @param seq The operation's number. @param since That of its thread's operation before. @param events What the kernel said.
 */
export function withStoredValue(
  operation: Operation,
  seq: number,
  since: number,
  events: readonly TraceLine[],
): Operation {
  if (operation.op !== "write" || since >= seq - 1) return operation;
  const told = events.find(({ name }) => name === "kvm_mmio");
  const [, length, value] = MMIO_WRITE.exec(told?.text ?? "") ?? [];
  if (value === undefined || Number(length) !== operation.size || value === operation.value) return operation;
  for (let older = seq - 1; older > since; older--) {
    if (recorderValue(older, operation.size) === value) return { ...operation, value };
  }
  return operation;
}

/** The words of a `done` marker. */
export function outcomeOf(done: TraceMarker): RecordedOutcome {
  const { kind, value, pages } = done.words;
  return {
    ret: done.num("ret"),
    ...(kind === "ram" || kind === "mmio"
      ? { kind, mmioReads: done.num("mmio_reads"), mmioWrites: done.num("mmio_writes") }
      : {}),
    ...(value === undefined ? {} : { value }),
    ...(done.words["dirty"] === undefined ? {} : { dirty: done.num("dirty") }),
    ...(pages === undefined ? {} : { pages }),
    ...(done.words["flags"] === undefined ? {} : { flags: done.num("flags") }),
  };
}
