import { assert, assertEquals, assertRejects } from "@std/assert";
import { PROFILES } from "@mmu-lab/machine";
import { parseTraceBlocks, readTraceLines } from "@mmu-lab/tracing";
import { readRecordingStream } from "@mmu-lab/workloads";
import { conformRecording } from "./conform_recording.ts";
import { conformTrace, LINES_TO_KNOW_BY, type OpenTrace } from "./conform_trace.ts";

/** A recording, as often as told, one after another. */
function open(path: string, times = 1): OpenTrace {
  return () => parseTraceBlocks(text(path, times));
}

async function* text(path: string, times: number): AsyncGenerator<string> {
  for (let i = 0; i < times; i++) {
    yield* readTraceLines((await Deno.open(new URL(`./testdata/${path}.trace.txt.gz`, import.meta.url))).readable);
  }
}

Deno.test("conformTrace() comes to the same as conformRecording() does in memory", async () => {
  const path = "linux-3.11-ept/ept/s18";
  const profile = PROFILES["linux_3_17_ept"];
  const { lines, ...streamed } = await conformTrace(open(path), { profile });
  const recording = await readRecordingStream(async function* () {
    for await (const block of open(path)()) yield* block;
  }());
  assertEquals(streamed, conformRecording(recording, { profile }));
  assert(lines > streamed.levels[2]!.total);
});

Deno.test("conformTrace() takes recordings one after another, each with a VM of its own", async () => {
  const once = await conformTrace(open("linux-6.1/tdp/s8"));
  const times = 3;
  const thrice = await conformTrace(open("linux-6.1/tdp/s8", times));
  assertEquals(thrice.profile, "linux_6_1_npt_tdp");
  assertEquals(thrice.lines, times * once.lines);
  assertEquals(thrice.levels[2], { matched: times * once.levels[2]!.total, total: times * once.levels[2]!.total });
});

Deno.test("conformTrace() compares what waits until the kernel is known, and what comes after", async () => {
  const path = "linux-3.11/npt/s18";
  const once = await conformTrace(open(path));
  const times = Math.ceil(1.5 * LINES_TO_KNOW_BY / once.lines);
  const { levels } = await conformTrace(open(path, times));
  assertEquals(levels[2], { matched: times * once.levels[2]!.total, total: times * once.levels[2]!.total });
});

for (const [folder, profile] of [["tdp", "linux_6_1_npt_tdp"], ["tdp-6.1.187", "linux_6_1_npt_tdp_187"]]) {
  Deno.test(`conformTrace() tells by the results that s16 of ${folder} is ${profile}`, async () => {
    const { profile: found, levels } = await conformTrace(open(`linux-6.1/${folder}/s16`));
    assertEquals(found, profile);
    assertEquals(levels[1]!.matched, levels[1]!.total);
  });
}

Deno.test("conformTrace() shows what came before a mismatch, kernel beside model", async () => {
  const { mismatches } = await conformTrace(open("linux-3.11-ept/ept/s8"), {
    profile: PROFILES["linux_3_11_ept_noad"],
  });
  const [{ kernel, model, recent }] = mismatches;
  assertEquals(kernel, "kvm_exit: reason EPT_VIOLATION rip 0x1000 info 82 0");
  assertEquals(model, "kvm_exit: reason EPT_VIOLATION rip 0x1000 info 81 0");
  assert(recent.length > 0 && recent.every((pair) => pair.kernel === pair.model));
});

Deno.test("conformTrace() names the operation that the model cannot carry out", async () => {
  const wrong = conformTrace(open("linux-6.1/tdp/s15"), { profile: PROFILES["linux_3_11_ept"] });
  await assertRejects(() => wrong, RangeError, "Cannot carry out operation seq=");
});
