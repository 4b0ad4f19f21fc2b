import type { Era } from "./era.ts";
import { printEvent } from "./print_event.ts";
import type { TraceRecord } from "./sink.ts";

/** A line written to `trace_marker`: what was asked of the machine, beside what it did. See {@linkcode parseMarker}. */
export interface TraceMark {
  /** The text, without a newline. */
  readonly marker: string;
  /** Its number, in one series with those of the records. */
  readonly sequence: number;
}

/** How a trace is written. */
export interface FtraceOptions {
  /** The kernel whose formats and layout to use. */
  readonly era: Era;
  /** Name of the task that the events happen in, at most 16 characters. Default `<...>`, as for a task that is gone. */
  readonly task?: string;
  /** Process id outside any vCPU; vCPU n gets this plus 1 plus n. Default 1. */
  readonly pid?: number;
  /** How many CPUs the header states. Default 1. */
  readonly cpus?: number;
  /** How many entries the header states. Default 0. */
  readonly entries?: number;
  /** How many of them were lost. Default 0. */
  readonly lost?: number;
}

/** 6.1 has a column more than 3.11 for `migrate-disable` (kernel/trace/trace.c). */
function hasMigrateColumn(era: Era): boolean {
  return era === "6.1" || era === "6.12";
}

/**
 * The header of a trace: comment lines, each with its newline.
 *
 * Source: kernel/trace/trace.c, `print_func_help_header_irq`; recorded traces.
 *
 * @param options How the trace is written.
 */
export function ftraceHeader(options: FtraceOptions): string {
  const { era, cpus = 1, entries = 0, lost = 0 } = options;
  const start = `# tracer: nop\n#\n# entries-in-buffer/entries-written: ${entries}/${entries + lost}   #P:${cpus}\n#\n`;
  return start + (hasMigrateColumn(era)
    ? `#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`
    : `#                              _-----=> irqs-off
#                             / _----=> need-resched
#                            | / _---=> hardirq/softirq
#                            || / _--=> preempt-depth
#                            ||| /     delay
#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION
#              | |       |   ||||       |         |
`);
}

/**
 * One line of a trace, without its newline. The timestamp is the sequence number, as with the kernel's clock
 * `counter`; vCPU n stands on CPU n, everything else on CPU 0.
 *
 * @param record What happened.
 * @param options How the trace is written.
 * @returns The line.
 * @throws {RangeError} If the event does not exist in the era.
 */
export function ftraceLine(record: TraceRecord | TraceMark, options: FtraceOptions): string {
  const { era, task = "<...>", pid = 1 } = options;
  const vcpu = "event" in record ? record.vcpu : -1;
  const wide = hasMigrateColumn(era);
  const column = `${task.padStart(16)}-${String(pid + vcpu + 1).padEnd(wide ? 7 : 5)}`;
  const cpu = String(Math.max(vcpu, 0)).padStart(3, "0");
  const prefix = `${column} [${cpu}] ${wide ? "....." : "...."} ${String(record.sequence).padStart(12)}: `;
  if ("marker" in record) return `${prefix}tracing_mark_write: ${record.marker}`;
  const { event, args } = record;
  const text = printEvent(event, vcpu, args, era);
  const location = event.location === undefined ? "" : text === "" ? `(${event.location})` : `(${event.location}) `;
  return `${prefix}${event.name}: ${location}${text}`;
}

/**
 * Writes a trace as the kernel's `trace` file has it: header, then a line each, newlines included.
 *
 * @param records What happened, in order.
 * @param options How to write it.
 * @returns The text, piece by piece.
 * @throws {RangeError} If an event does not exist in the era.
 *
 * @example Write what a model emitted
 * ```ts
 * import { KVM_ENTRY, RingBuffer, writeFtrace } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const ring = new RingBuffer(16);
 * ring.emit(KVM_ENTRY, 0);
 * const lines = [...writeFtrace(ring, { era: "3.11" })].join("").split("\n");
 * assertEquals(lines.at(-2), "           <...>-2     [000] ....            0: kvm_entry: vcpu 0");
 * ```
 */
export function* writeFtrace(records: Iterable<TraceRecord | TraceMark>, options: FtraceOptions): Generator<string> {
  yield ftraceHeader(options);
  for (const record of records) yield ftraceLine(record, options) + "\n";
}
