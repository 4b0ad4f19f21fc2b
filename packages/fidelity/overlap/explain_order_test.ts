import { PROFILES } from "@mmu-lab/machine";
import { parseTraceText } from "@mmu-lab/tracing";
import { readRecording, type Recording } from "@mmu-lab/workloads";
import { assert, assertEquals } from "@std/assert";
import { Comparison, type ComparisonOptions } from "../comparison.ts";
import { recordedKernel } from "../recorded_kernel.ts";
import { retellAtRandom } from "../testdata/retell_at_random.ts";
import { explainOrder } from "./explain_order.ts";

async function textOf(path: string): Promise<string> {
  const bytes = await Deno.readFile(new URL(`../testdata/${path}`, import.meta.url));
  return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/** A recording, with what explainOrder() needs: what is known of steps is learnt from one reading of it. */
function known(text: string, name: string): { recording: Recording; options: ComparisonOptions; plain: Comparison } {
  const recording = readRecording(parseTraceText(text));
  const { era = "6.1", signs: { prefixed, hidden } } = recordedKernel(recording);
  const options = { profile: PROFILES[name], level: 2, era, prefixed, hidden, telling: new Map() } as const;
  const plain = new Comparison(options);
  for (const stretch of recording.stretches) plain.push(stretch);
  return { recording, options, plain };
}

const LATE: readonly [path: string, profile: string][] = [
  ["linux-6.1/legacy-smp2/s7b.trace.txt.gz", "linux_6_1_npt_legacy"],
  ["linux-6.12/shadow-smp2/s7b-seed2.trace.txt.gz", "linux_6_12_npt_shadow"],
];

for (const [path, name] of LATE) {
  Deno.test(`explainOrder() finds an order of ${path} by which the model does all that it shows`, async () => {
    const { recording, options, plain } = known(await textOf(path), name);
    assert(plain.result().mismatches.length > 0, "the rules alone would do");
    const lines: number[] = [];
    const explained = explainOrder(recording.stretches, options, (line, last) => {
      assert(line < last);
      lines.push(line);
    });
    assertEquals(explained.result().mismatches, []);
    assertEquals(lines, [...lines].sort((a, b) => a - b));
    assert(lines.length > 0);
    // The same is found again.
    assertEquals(explainOrder(recording.stretches, options).result(), explained.result());
  });
}

Deno.test("explainOrder() looks at each VM of a trace by itself", async () => {
  const [path, name] = LATE[1];
  const text = await textOf(path);
  const { recording, options } = known(text, name);
  const again = readRecording(parseTraceText(text));
  const { mismatches, levels } = explainOrder([...recording.stretches, ...again.stretches], options).result();
  assertEquals(mismatches, []);
  assertEquals(levels[2]!.total, 2 * explainOrder(again.stretches, options).result().levels[2]!.total);
});

Deno.test("explainOrder() explains nothing away: a changed number differs in every order, and it alone", async () => {
  const [path, name] = LATE[0];
  const text = await textOf(path);
  const at = text.lastIndexOf("check_mmio_spte: spte", text.length / 2);
  const changed = text.slice(0, at) + text.slice(at).replace(/spte-gen [0-9a-f]+/, "spte-gen 1");
  const { recording, options } = known(changed, name);
  const { mismatches, levels } = explainOrder(recording.stretches, options).result();
  assertEquals(mismatches.map(({ kernel }) => / spte-gen 1 /.test(kernel)), [true]);
  assertEquals(levels[2]!.total - levels[2]!.matched, 2, "the kernel's event and the model's");
});

const RANDOM_SEEDS = [1, 2, 3, 4, 5, 6];

Deno.test(`explainOrder() finds an order for random schedules of the model, seeds ${RANDOM_SEEDS.join(", ")}`, async () => {
  const name = "linux_6_1_npt_tdp";
  const text = await textOf("linux-6.1/tdp-smp2/s7b.trace.txt.gz");
  const recording = readRecording(parseTraceText(text));
  let differed = 0;
  for (const seed of RANDOM_SEEDS) {
    const how = { profile: PROFILES[name], era: "6.1", operations: 15, seed, patience: 10 } as const;
    const random = known(retellAtRandom(text, recording, how), name);
    if (random.plain.result().mismatches.length > 0) differed++;
    assertEquals(explainOrder(random.recording.stretches, random.options).result().mismatches, [], `seed ${seed}`);
  }
  assert(differed > 0, "the rules alone would do");
});

/** A fault whose MMIO spte another vCPU exits for, and that exit put in front of it; `undefined` if a trace has none. */
function exitBeforeItsSpte(text: string): string | undefined {
  const lines = text.split("\n");
  const pidOf = (line: string) => /memslot_lab-(\d+)/.exec(line)?.[1];
  for (const [at, exit] of lines.entries()) {
    const [, gfn] =
      /kvm_exit: .* reason npf .* info1 0x0*1000000[0-9a-f][8-9a-f] info2 0x0*([0-9a-f]+)000 /.exec(exit) ?? [];
    if (gfn === undefined) continue;
    for (let made = at - 1; made > Math.max(0, at - 40); made--) {
      const other = pidOf(lines[made]);
      const makes = new RegExp(`gfn ${gfn} level 1 old_spte (0|5a0) new_spte 8000`);
      if (other === pidOf(exit) || !makes.test(lines[made])) continue;
      let fault = made;
      while (pidOf(lines[fault]) !== other || !lines[fault].includes("mmu_page_fault: ")) fault--;
      if (lines.slice(fault, at).some((line) => pidOf(line) === pidOf(exit))) continue;
      return [...lines.slice(0, fault), exit, ...lines.slice(fault, at), ...lines.slice(at + 1)].join("\n");
    }
  }
  return undefined;
}

Deno.test("explainOrder() does not explain an exit for an MMIO spte that is made only after it", async () => {
  const name = "linux_6_1_npt_tdp";
  const text = await textOf("linux-6.1/tdp-smp2/s7b.trace.txt.gz");
  const recording = readRecording(parseTraceText(text));
  for (const seed of [45, 84, 88, 109]) {
    const how = { profile: PROFILES[name], era: "6.1", operations: 8, seed, patience: 4 } as const;
    const told = retellAtRandom(text, recording, how);
    const possible = known(told, name);
    assertEquals(explainOrder(possible.recording.stretches, possible.options).result().mismatches, []);
    const impossible = known(exitBeforeItsSpte(told)!, name);
    const { mismatches } = explainOrder(impossible.recording.stretches, impossible.options).result();
    assert(mismatches.length > 0, `seed ${seed}`);
  }
});
