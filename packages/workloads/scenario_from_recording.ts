import type { TraceLine } from "@mmu-lab/tracing";
import { readRecording } from "./read_recording.ts";
import type { ReadRecordingOptions } from "./recording_reader.ts";
import type { Scenario } from "./scenario.ts";

/**
 * Turns a trace made by the recorder into a scenario: the same operations, addresses, data and memory. What the kernel
 * did with them is in {@linkcode readRecording}.
 *
 * @param lines The lines of the trace.
 * @param options For messages.
 * @throws {TraceSyntaxError} If the trace is no recording, or is cut off.
 * @throws {UnmodelledOperationError} If the recording has an operation that scenarios cannot say yet.
 *
 * @example Take the question from a recording
 * ```ts
 * import { parseTraceText } from "@mmu-lab/tracing";
 * import { scenarioFromRecording } from "@mmu-lab/workloads";
 * import { assertEquals } from "@std/assert";
 *
 * const marker = (text: string) => `           <...>-211   [000] ...2   21886: tracing_mark_write: ${text}\n`;
 * const trace = marker("seq=0 op=scenario name=s1 cfg=ept seed=0 vcpus=1 guest_paging=1g-identity") +
 *   marker("seq=5 op=write vcpu=0 gpa=0xd0000000 gva=0xd0000000 size=4") +
 *   marker("seq=5 op=done ret=0 kind=mmio mmio_reads=0 mmio_writes=1 value=0x0");
 *
 * assertEquals(scenarioFromRecording(parseTraceText(trace)).operations, [
 *   { op: "write", vcpu: 0, gva: 0xd0000000, size: 4, value: "0x191e2328", seq: 5 },
 * ]);
 * ```
 */
export function scenarioFromRecording(lines: Iterable<TraceLine>, options: ReadRecordingOptions = {}): Scenario {
  return readRecording(lines, options).scenario;
}
