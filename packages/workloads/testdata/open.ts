import { parseTrace, readTraceLines, type TraceLine } from "@mmu-lab/tracing";

/** The lines of a recording in this folder. */
export async function* recordedLines(name: string): AsyncGenerator<TraceLine> {
  const file = await Deno.open(new URL(`./${name}.trace.txt.gz`, import.meta.url));
  yield* parseTrace(readTraceLines(file.readable), { file: name });
}

/** Trace text of a few events of one thread. */
export function traceOf(events: readonly string[], pid = 211): string {
  return events.map((event, i) => `           <...>-${pid}   [000] d...   ${1000 + i}: ${event}\n`).join("");
}

/** Trace text of a recording with these markers, in configuration `ept`. */
export function recordingOf(markers: readonly string[], name = "s10"): string {
  const begin = `seq=0 op=scenario name=${name} cfg=ept seed=1 vcpus=2 guest_paging=1g-identity`;
  return traceOf([begin, ...markers].map((marker) => `tracing_mark_write: ${marker}`));
}
