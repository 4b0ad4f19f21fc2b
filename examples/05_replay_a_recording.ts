/**
 * A recording of a real kernel, Linux 3.11 on Intel EPT, and a bug on it (B01): the vCPU's own MMIO cache of that release
 * knows no generation, so a page that has become memory stays MMIO for this vCPU, and what it writes is lost. The model of
 * 3.11 does the same, event by event; the model of 3.17 does not.
 *
 * `deno run -q -P=lab examples/05_replay_a_recording.ts`
 */
import { conformRecording } from "@mmu-lab/fidelity";
import { PROFILES } from "@mmu-lab/machine";
import { parseTraceText } from "@mmu-lab/tracing";
import { readRecording } from "@mmu-lab/workloads";

const FILE = new URL("../packages/fidelity/testdata/linux-3.11-ept/ept/s18.trace.txt.gz", import.meta.url);
const compressed = await Deno.open(FILE);
const text = await new Response(compressed.readable.pipeThrough(new DecompressionStream("gzip"))).text();
const recording = readRecording(parseTraceText(text, { file: "s18" }), { file: "s18" });

console.log("What the kernel did:");
for (const { seq, operation, outcome } of recording.operations) {
  if (seq < 11 || seq > 17) continue;
  const where = "gva" in operation ? operation.gva : "gpa" in operation ? operation.gpa : 0;
  const value = operation.op === "write" ? operation.value : outcome.value;
  const what = `${operation.op} 0x${where.toString(16)}`;
  console.log(`  seq ${seq}: ${what} -> ${outcome.kind === undefined ? "created" : `${outcome.kind} ${value}`}`);
}
console.log("  The write of seq 14 went to a device, though the memslot of seq 12 was there: seq 17 reads old memory.");

for (const profile of [PROFILES.linux_3_11_ept, PROFILES.linux_3_17_ept]) {
  const { levels, mismatches } = conformRecording(recording, { profile, level: 1 });
  const { matched, total } = levels[1]!;
  console.log(`\n${profile.name}: ${matched} of ${total} outcomes and events agree`);
  const first = mismatches.find(({ kernel }) => kernel.includes("kind="));
  if (first !== undefined) {
    console.log(`  seq ${first.seq}, the kernel: ${first.kernel}`);
    console.log(`  seq ${first.seq}, the model:  ${first.model}`);
  }
}
