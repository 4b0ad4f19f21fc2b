/**
 * KVM's tracepoints as data: events with the exact print formats of several kernels, sinks that a model emits them to,
 * and ftrace text written and read.
 *
 * A format is the kernel's own string with names in it, and works both ways: it prints a record, and reads the text of a
 * real kernel back. So a run of a model and a recorded trace compare event by event.
 *
 * @example A record to text and back
 * ```ts
 * import { MARK_MMIO_SPTE, parseEventText, parseTraceText, RingBuffer, writeFtrace } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = new RingBuffer(1024);
 * const sptep = 0x39b76 * 512; // page 0x39b76, index 0
 * if (sink.on) sink.emit(MARK_MMIO_SPTE, 0, sptep, 0xe0000, 6, 0x7ff6b);
 *
 * const text = [...writeFtrace(sink, { era: "3.11" })].join("");
 * for (const line of parseTraceText(text)) {
 *   assertEquals(line.text, "sptep:ffff880039b76000 gfn e0000 access 6 gen 7ff6b");
 *   const parsed = parseEventText(line.name, line.text, "3.11");
 *   assertEquals(parsed?.values, { sptep, gfn: 0xe0000, access: 6, gen: 0x7ff6b });
 * }
 * ```
 *
 * @module
 */
export * from "./era.ts";
export * from "./event.ts";
export * from "./events_kvm.ts";
export * from "./events_kvmmmu.ts";
export * from "./exit_reason.ts";
export * from "./field.ts";
export * from "./format.ts";
export * from "./ftrace_parser.ts";
export * from "./ftrace_writer.ts";
export * from "./markers.ts";
export * from "./null_sink.ts";
export * from "./parse_event.ts";
export * from "./print_event.ts";
export * from "./probes.ts";
export * from "./read_trace_lines.ts";
export * from "./ring_buffer.ts";
export * from "./sink.ts";
export * from "./sp_role.ts";
export * from "./symbols.ts";
export * from "./trace_syntax_error.ts";
