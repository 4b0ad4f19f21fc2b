import { MARKER_EVENT, parseMarker, type TraceLine, type TraceMarker, TraceSyntaxError } from "@mmu-lab/tracing";
import { outcomeOf, STARTS, withStoredValue } from "./_recorded_operation.ts";
import { RecorderMemory } from "./_recorder_memory.ts";
import type { RecordedOperation, RecordedStretch, RecordingHeader } from "./recording.ts";
import type { Operation } from "./scenario.ts";
import { UnmodelledOperationError } from "./unmodelled_operation_error.ts";

/** Options of {@linkcode RecordingReader}. */
export interface ReadRecordingOptions {
  /** Name of the file that the lines come from, for messages. */
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

/** Whose turn it was while an operation ran alone: nobody asks. */
const ALONE: readonly number[] = [];

/** An operation whose `done` marker has not come yet. */
interface OpenOperation {
  readonly marker: TraceMarker;
  readonly line: number;
  readonly pid: number;
  /** Its place in the stretch. */
  readonly index: number;
  /** The number of the operation of its thread before it. */
  readonly since: number;
  /** `undefined` for what a scenario does not say: the VM's creation, and quirks. */
  readonly operation: Operation | undefined;
  readonly events: TraceLine[];
}

/** One VM of a trace, from its `op=scenario` on. */
class RecordedVm {
  readonly marker: TraceMarker;
  readonly memory: RecorderMemory;
  header: RecordingHeader | undefined;
  disabledQuirks = 0;
  readonly creation: TraceLine[] = [];
  /** Whether the operation that ends it has been seen. */
  isOver = false;
  /** The number of the last operation that each thread has marked. */
  readonly lastSeq: Map<number, number> = new Map();

  constructor(marker: TraceMarker) {
    this.marker = marker;
    const { words } = marker;
    this.memory = new RecorderMemory(words["name"] === HUGE_PAGES_SCENARIO, words["guest_paging"] === WINDOW);
  }

  /** What it says of itself; asked for when the first operation begins, for quirks are disabled before. */
  get known(): RecordingHeader {
    return this.header ??= this.#header();
  }

  #header(): RecordingHeader {
    const { words } = this.marker;
    const { name = "", cfg = "", guest_paging: guestPaging = "" } = words;
    const [seed, vcpus] = [this.marker.num("seed"), this.marker.num("vcpus")];
    const setting = {
      version: 1,
      name,
      description: `Recorded: ${name}, configuration ${cfg}, seed ${seed}`,
      guest: guestPaging === WINDOW ? "recorder-4k" : "recorder",
      hostMemory: this.memory.regions,
    } as const;
    const { disabledQuirks, creation } = this;
    return { name, cfg, seed, vcpus, guestPaging, disabledQuirks, creation, setting };
  }
}

/**
 * Takes the lines of a trace made by the recorder, one by one, and tells of operations as they are done. Holds no more
 * than the operations that overlap now, however long the trace is.
 *
 * A trace may hold several recordings, one after another: each begins with `op=scenario`, once the operation `vm_destroy`
 * of the one before is done.
 *
 * Operations of one thread follow each other. Those of several threads may overlap (s7b): then an event belongs to the
 * operation of its own thread, by the trace's column of thread ids. A thread that marks nothing, such as a worker of the
 * kernel, is taken to work for the one operation that runs, and for nobody if there are several.
 *
 * Slots get the memory that the recorder gave them: from a pool of 16 MiB where every 8 bytes hold 0x1122334455667788,
 * each slot behind the last (also for a call that is refused), from the start again when the pool is full. The pool has
 * transparent huge pages in a recording named `s14`, where the recorder asked for them; in all others it forbade them, so
 * that every page is 4 KiB.
 */
export class RecordingReader {
  readonly #options: ReadRecordingOptions;
  readonly #onLoose: ((line: TraceLine) => void) | undefined;
  #vm: RecordedVm | undefined;
  /** Operations that have begun and are not done. */
  readonly #open: OpenOperation[] = [];
  /** The stretch that is being read: operations done, by index, and whose turn it was. */
  #done: RecordedOperation[] = [];
  #begun = 0;
  #order: number[] = [];
  #line = 0;

  /**
   * Makes a reader at the beginning of a trace.
   *
   * @param options For messages.
   * @param onLoose Is told of each event that belongs to no operation.
   */
  constructor(options: ReadRecordingOptions = {}, onLoose?: (line: TraceLine) => void) {
    this.#options = options;
    this.#onLoose = onLoose;
  }

  /**
   * Takes a line.
   *
   * @returns What is done with it, if it ends an operation and no other runs.
   * @throws {TraceSyntaxError} If the trace is no recording, or a thread has operations that overlap.
   * @throws {RangeError} If a marker lacks a word, or has a number that is none.
   * @throws {UnmodelledOperationError} If a scenario cannot say what was recorded.
   */
  push(line: TraceLine): RecordedStretch | undefined {
    this.#line = line.lineNumber;
    const marker = line.name === MARKER_EVENT || line.name === "print" ? this.#markerOf(line) : undefined;
    if (marker === undefined) this.#event(line);
    else if (marker.op === "scenario") this.#begin(marker);
    else if (this.#vm === undefined) this.#fail("the marker 'seq=0 op=scenario' first", line.text);
    else if (marker.op === "done") return this.#finishOperation(this.#vm, marker, line);
    else if (marker.op !== "layout") this.#start(this.#vm, marker, line);
    return undefined;
  }

  /**
   * The trace ends here.
   *
   * @throws {TraceSyntaxError} If it is no recording, or is cut off within an operation.
   */
  finish(): void {
    if (this.#vm === undefined) this.#fail("a recording, which begins with 'seq=0 op=scenario'", "no such marker");
    const [open] = this.#open;
    if (open === undefined) return;
    const { marker: { seq, op }, line } = open;
    const expected = `'seq=${seq} op=done' for op=${op} of line ${line} (the recording is truncated)`;
    this.#fail(expected, "the end of the trace");
  }

  /** The recording that is being read: another object for each VM of the trace. `undefined` before the first. */
  get header(): RecordingHeader | undefined {
    return this.#vm?.known;
  }

  /** The marker of a line, if it is one; trace-cmd names the event `print` and puts a word before the text. */
  #markerOf({ name, text }: TraceLine): TraceMarker | undefined {
    if (name === MARKER_EVENT) return parseMarker(text, this.#position());
    const at = text.search(/(?<=^|: )seq=\d/);
    return at < 0 ? undefined : parseMarker(text.slice(at), this.#position());
  }

  #event(line: TraceLine): void {
    const open = this.#openOf(line.pid);
    if (open === undefined) this.#onLoose?.(line);
    else {
      open.events.push(line);
      if (this.#begun > 1) this.#order.push(open.index);
    }
  }

  /** Whose event it is. */
  #openOf(pid: number): OpenOperation | undefined {
    const [first] = this.#open;
    if (first === undefined || first.pid === pid) return first;
    if (this.#open.length > 1) return this.#open.find((open) => open.pid === pid);
    return this.#vm!.lastSeq.has(pid) ? undefined : first;
  }

  #begin(marker: TraceMarker): void {
    if (this.#vm !== undefined && !this.#vm.isOver) {
      this.#fail("'op=vm_destroy' and its 'done' before another scenario", `seq=${marker.seq} op=scenario`);
    }
    const paging = marker.words["guest_paging"];
    if (paging !== IDENTITY && paging !== WINDOW) {
      this.#unmodelled(marker, `guest_paging=${paging}, and guests have ${IDENTITY} or ${WINDOW}`);
    }
    this.#vm = new RecordedVm(marker);
  }

  #start(vm: RecordedVm, marker: TraceMarker, line: TraceLine): void {
    const open = this.#open.find(({ pid }) => pid === line.pid)?.marker;
    if (open !== undefined) {
      this.#fail(
        `'seq=${open.seq} op=done' before another operation of the same thread`,
        `seq=${marker.seq} op=${marker.op}`,
      );
    }
    if (this.#open.some(({ operation }) => operation === undefined)) {
      this.#fail("nothing else to happen while a VM is made", `seq=${marker.seq} op=${marker.op}`);
    }
    if (vm.isOver) {
      this.#fail("nothing after 'op=vm_destroy' but another scenario", `seq=${marker.seq} op=${marker.op}`);
    }
    const start = STARTS[marker.op];
    if (marker.op === "disable_quirks") vm.disabledQuirks |= this.#knownQuirks(vm, marker);
    else if (start === undefined && marker.op !== "vm_create") {
      this.#unmodelled(marker, "no such operation is known");
    }
    const operation = start === undefined ? undefined : { ...start(marker, vm.memory), seq: marker.seq };
    if (this.#begun === 1) this.#beginOrder();
    const index = this.#begun++;
    if (index > 0) this.#order.push(index);
    const since = vm.lastSeq.get(line.pid) ?? marker.seq - 1;
    vm.lastSeq.set(line.pid, marker.seq);
    if (operation !== undefined) vm.header = vm.known;
    this.#open.push({ marker, line: this.#line, pid: line.pid, index, since, operation, events: [] });
  }

  /** A second operation begins while the first one runs: until now it was always the first one's turn. */
  #beginOrder(): void {
    this.#order.push(0, ...this.#open[0].events.map(() => 0));
  }

  #finishOperation(vm: RecordedVm, marker: TraceMarker, line: TraceLine): RecordedStretch | undefined {
    const at = this.#open.findIndex((open) => open.marker.seq === marker.seq);
    if (at < 0) {
      const open = this.#open.at(-1);
      this.#fail(open === undefined ? "an operation" : `'seq=${open.marker.seq} op=done'`, `seq=${marker.seq} op=done`);
    }
    const [{ operation: marked, line: startLine, index, since, events }] = this.#open.splice(at, 1);
    if (marked === undefined) {
      vm.creation.push(...events);
      this.#begun = 0;
      return undefined;
    }
    const operation = withStoredValue(marked, marker.seq, since, events);
    const outcome = outcomeOf(marker);
    if (operation.op === "memslot" && outcome.ret === 0) vm.memory.succeeded(operation);
    if (operation.op === "vm-destroy") vm.isOver = true;
    if (this.#begun > 1) this.#order.push(index);
    this.#done[index] = { seq: marker.seq, operation, outcome, startLine, endLine: line.lineNumber, events };
    if (this.#open.length > 0) return undefined;
    const [operations, order] = [this.#done, this.#begun > 1 ? this.#order : ALONE];
    this.#done = [];
    if (this.#begun > 1) this.#order = [];
    this.#begun = 0;
    return { header: vm.known, operations, order };
  }

  #knownQuirks(vm: RecordedVm, marker: TraceMarker): number {
    const mask = marker.num("mask");
    if (mask !== QUIRK_SLOT_ZAP_ALL) this.#unmodelled(marker, `quirks 0x${mask.toString(16)}: only 0x80 is modelled`);
    if (vm.header !== undefined) this.#unmodelled(marker, "quirks are known only if they are disabled first");
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
