import type { AccessKind, AccessSize } from "@mmu-lab/machine";
import { MARKER_EVENT, parseMarker, type TraceLine, type TraceMarker, TraceSyntaxError } from "@mmu-lab/tracing";
import { RecorderMemory } from "./_recorder_memory.ts";
import { recorderValue } from "./recorder_guest.ts";
import type { Operation, Scenario } from "./scenario.ts";
import { UnmodelledOperationError } from "./unmodelled_operation_error.ts";

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
  /** Events between its markers. */
  readonly events: readonly TraceLine[];
  /** Events between its `done` marker and the next operation, which belong to nobody. */
  readonly after: readonly TraceLine[];
}

/** A trace made by the recorder. */
export interface Recording {
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
  /** Events before the first operation; those of the VM's creation are among them. */
  readonly before: readonly TraceLine[];
  /** What was asked, in order, and what came of it. */
  readonly operations: readonly RecordedOperation[];
  /** The same as a scenario. */
  readonly scenario: Scenario;
}

/** For messages. */
export interface ReadRecordingOptions {
  /** Name of the file that the lines come from. */
  readonly file?: string;
}

/** The guest paging that {@linkcode RECORDER_GUEST} has. */
const IDENTITY = "1g-identity";
/** The guest paging that `RECORDER_4K_GUEST` has. */
const WINDOW = "4k-window";
/** The scenario for which the recorder asks for huge pages (memslot_lab.c, `hugepages`). */
const HUGE_PAGES_SCENARIO = "s14";

/** `KVM_X86_QUIRK_SLOT_ZAP_ALL`: everything is zapped when a slot goes (facts sheet 4.7). */
export const QUIRK_SLOT_ZAP_ALL = 0x80;

/** What an operation's first marker becomes. Not in this list: what is not modelled. */
const STARTS: Readonly<Record<string, (marker: TraceMarker, memory: RecorderMemory) => Operation>> = {
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

function outcomeOf(done: TraceMarker): RecordedOutcome {
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

/** The marker of a line, if it is one; trace-cmd names the event `print` and puts a word before the text. */
function markerOf(line: TraceLine, position: { file?: string; line: number }): TraceMarker | undefined {
  if (line.name === MARKER_EVENT) return parseMarker(line.text, position);
  const at = line.name === "print" ? line.text.search(/(?<=^|: )seq=\d/) : -1;
  return at < 0 ? undefined : parseMarker(line.text.slice(at), position);
}

/** Takes the lines of a recording one by one. */
class RecordingReader {
  readonly #options: ReadRecordingOptions;
  readonly #before: TraceLine[] = [];
  readonly #operations: RecordedOperation[] = [];
  #header?: TraceMarker;
  #disabledQuirks = 0;
  #memory = new RecorderMemory(false, false);
  /** Where events go: to the open operation, or after the last. */
  #events: TraceLine[] = this.#before;
  /** The open operation; `vm_create` has none of its own in a scenario. */
  #open: { marker: TraceMarker; line: number; operation: Operation | undefined } | undefined;
  #line = 0;

  constructor(options: ReadRecordingOptions) {
    this.#options = options;
  }

  push(line: TraceLine): void {
    this.#line = line.lineNumber;
    const marker = markerOf(line, this.#position());
    if (marker === undefined) this.#events.push(line);
    else if (marker.op === "scenario") this.#begin(marker);
    else if (this.#header === undefined) this.#fail("the marker 'seq=0 op=scenario' first", line.text);
    else if (marker.op === "done") this.#done(marker);
    else if (marker.op !== "layout") this.#start(marker);
  }

  finish(): Recording {
    if (this.#header === undefined) this.#fail("a recording, which begins with 'seq=0 op=scenario'", "no such marker");
    const open = this.#open;
    if (open !== undefined) {
      this.#fail(
        `'seq=${open.marker.seq} op=done' for op=${open.marker.op} of line ${open.line} (the recording is truncated)`,
        "the end of the trace",
      );
    }
    const { words } = this.#header;
    const [name, cfg] = [words["name"] ?? "", words["cfg"] ?? ""];
    const [seed, vcpus] = [this.#header.num("seed"), this.#header.num("vcpus")];
    return {
      name,
      cfg,
      seed,
      vcpus,
      guestPaging: words["guest_paging"] ?? "",
      disabledQuirks: this.#disabledQuirks,
      before: this.#before,
      operations: this.#operations,
      scenario: {
        version: 1,
        name,
        description: `Recorded: ${name}, configuration ${cfg}, seed ${seed}`,
        guest: words["guest_paging"] === WINDOW ? "recorder-4k" : "recorder",
        hostMemory: this.#memory.regions,
        operations: this.#operations.map(({ operation }) => operation),
      },
    };
  }

  #begin(marker: TraceMarker): void {
    if (this.#header !== undefined) this.#fail("one scenario", `seq=${marker.seq} op=scenario`);
    const paging = marker.words["guest_paging"];
    if (paging !== IDENTITY && paging !== WINDOW) {
      this.#unmodelled(marker, `guest_paging=${paging}, and guests have ${IDENTITY} or ${WINDOW}`);
    }
    this.#header = marker;
    this.#memory = new RecorderMemory(marker.words["name"] === HUGE_PAGES_SCENARIO, paging === WINDOW);
  }

  #start(marker: TraceMarker): void {
    const open = this.#open?.marker;
    if (open !== undefined) {
      // s7b records two threads at once: no order of whole operations says what happened.
      this.#fail(`'seq=${open.seq} op=done' before another operation`, `seq=${marker.seq} op=${marker.op}`);
    }
    const start = STARTS[marker.op];
    if (marker.op === "disable_quirks") this.#disabledQuirks |= this.#knownQuirks(marker);
    else if (start === undefined && marker.op !== "vm_create") {
      this.#unmodelled(marker, "no such operation is known");
    }
    const operation = start === undefined ? undefined : { ...start(marker, this.#memory), seq: marker.seq };
    this.#open = { marker, line: this.#line, operation };
    if (operation !== undefined) this.#events = [];
  }

  #done(marker: TraceMarker): void {
    const open = this.#open;
    if (open?.marker.seq !== marker.seq) {
      this.#fail(open === undefined ? "an operation" : `'seq=${open.marker.seq} op=done'`, `seq=${marker.seq} op=done`);
    }
    this.#open = undefined;
    const { operation, line: startLine } = open;
    if (operation === undefined) return;
    const outcome = outcomeOf(marker);
    if (operation.op === "memslot" && outcome.ret === 0) this.#memory.succeeded(operation);
    const [events, after]: [TraceLine[], TraceLine[]] = [this.#events, []];
    this.#operations.push({ seq: marker.seq, operation, outcome, startLine, endLine: this.#line, events, after });
    this.#events = after;
  }

  #knownQuirks(marker: TraceMarker): number {
    const mask = marker.num("mask");
    if (mask !== QUIRK_SLOT_ZAP_ALL) this.#unmodelled(marker, `quirks 0x${mask.toString(16)}: only 0x80 is modelled`);
    if (this.#operations.length > 0) this.#unmodelled(marker, "quirks are known only if they are disabled first");
    return mask;
  }

  #position(): { file?: string; line: number } {
    return { ...this.#options, line: this.#line };
  }

  #fail(expected: string, got: string): never {
    throw new TraceSyntaxError(this.#position(), expected, got);
  }

  #unmodelled({ op, seq }: TraceMarker, needs: string): never {
    throw new UnmodelledOperationError({ ...this.#position(), op, seq }, needs);
  }
}

/**
 * Reads a trace made by the recorder: what was asked, what came of it, and the kernel's events for each operation.
 *
 * Slots get the memory that the recorder gave them: from a pool of 16 MiB where every 8 bytes hold 0x1122334455667788,
 * each slot behind the last (also for a call that is refused), from the start again when the pool is full. The pool has
 * transparent huge pages in a recording named `s14`, where the recorder asked for them; in all others it forbade them, so
 * that every page is 4 KiB.
 *
 * @param lines The lines of the trace.
 * @param options For messages.
 * @throws {TraceSyntaxError} If the trace is no recording, is cut off within an operation, or has operations that
 * overlap (s7b, recorded from two threads).
 * @throws {RangeError} If a marker lacks a word, or has a number that is none.
 * @throws {UnmodelledOperationError} If the guest has paging of another kind.
 */
export function readRecording(lines: Iterable<TraceLine>, options: ReadRecordingOptions = {}): Recording {
  const reader = new RecordingReader(options);
  for (const line of lines) reader.push(line);
  return reader.finish();
}

/**
 * Reads a trace made by the recorder, as it arrives; the counterpart of {@linkcode readRecording}.
 *
 * @param lines The lines of the trace, for example from `parseTrace`.
 * @param options For messages.
 * @throws As {@linkcode readRecording} does.
 */
export async function readRecordingStream(
  lines: AsyncIterable<TraceLine>,
  options: ReadRecordingOptions = {},
): Promise<Recording> {
  const reader = new RecordingReader(options);
  for await (const line of lines) reader.push(line);
  return reader.finish();
}
