import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Era, parseTraceText } from "@mmu-lab/tracing";
import { readRecording, type Recording } from "@mmu-lab/workloads";
import { chooseProfile } from "./choose_profile.ts";
import { conformRecording } from "./conform_recording.ts";
import { retell } from "./testdata/retell.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);

async function textOf(path: string): Promise<string> {
  const file = await Deno.open(new URL(`${path}.trace.txt.gz`, TESTDATA));
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
}

const read = (text: string): Recording => readRecording(parseTraceText(text));

/** A recording of a kernel that none is there of, made from one of its neighbour. */
async function recordingOf(profile: Profile, from: string, era: Era, changed?: (line: string) => string) {
  const text = await textOf(from);
  return read(retell(text, read(text), profile, era, changed));
}

function agrees(recording: Recording, profile: Profile): boolean {
  const { levels } = conformRecording(recording, { profile });
  return levels[2]!.matched === levels[2]!.total;
}

const kernels: readonly [name: string, from: string, era: Era][] = [
  ["linux_3_13_npt", "linux-3.11/npt/s19", "3.11"],
  ["linux_3_13_npt", "linux-3.11/npt/s19", "3.13"],
  ["linux_3_13_ept", "linux-3.11-ept/ept/s19", "3.11"],
  ["linux_4_10_ept", "linux-3.11-ept/ept/s11", "4.10"],
  ["linux_4_19_npt", "linux-4.10/npt/s3", "4.19"],
  ["linux_4_19_npt", "linux-4.10/npt/s16", "4.19"],
  ["linux_4_19_npt_0", "linux-4.10/npt/s19", "4.19"],
  ["linux_4_19_npt_152", "linux-4.10/npt/s8", "4.19"],
  ["linux_4_19_npt_shadow", "linux-4.10/shadow/s17", "4.19"],
  ["linux_4_19_npt_shadow_152", "linux-4.10/shadow/s8", "4.19"],
  ["linux_4_19_ept", "linux-3.11-ept/ept/s8", "4.19"],
  ["linux_4_19_ept_152", "linux-3.11-ept/ept/s3", "4.19"],
];

for (const [name, from, era] of kernels) {
  Deno.test(`chooseProfile() knows ${name} by ${from}, printed as ${era}, and no neighbour agrees with it`, async () => {
    const profile = PROFILES[name];
    const recording = await recordingOf(profile, from, era);
    assertEquals(chooseProfile(recording).name, name);
    assert(agrees(recording, profile));
    const neighbour = name.includes("4_19") ? name.replace("4_19", "4_10").replace(/_(0|152)$/, "") : undefined;
    if (neighbour !== undefined) assertEquals(agrees(recording, PROFILES[neighbour]), false);
    if (name.startsWith("linux_3_13")) assertEquals(agrees(recording, PROFILES[name.replace("13", "11")]), false);
  });
}

Deno.test("chooseProfile() takes a release where 3.11 and 3.13 cannot be told apart, and what was seen where they can", async () => {
  const alike = read(await textOf("linux-3.11/npt/s3"));
  assertEquals(chooseProfile(alike).name, "linux_3_11_npt");
  assertEquals(chooseProfile(alike, "3.13.0").name, "linux_3_13_npt");
  assert(agrees(alike, PROFILES.linux_3_13_npt));
  const wraps = read(await textOf("linux-3.11/npt/s19"));
  assertEquals(chooseProfile(wraps, "3.13.0").name, "linux_3_11_npt");
});

/** 4.19 prints a hash in place of a pointer, and before it has a key, words. */
const HIDDEN: Readonly<Record<string, (line: string) => string>> = {
  "a hash": (line) =>
    line.replace(/sptep([: ])([0-9a-f]{16})/, (_, sign, pointer) => {
      const hash = Number((BigInt(`0x${pointer}`) * 0x9e3779b97f4a7c15n) >> 20n & 0xffffffffn);
      return `sptep${sign}${hash.toString(16).padStart(16, "0")}`;
    }),
  "words": (line) => line.replace(/sptep([: ])[0-9a-f]{16}/, "sptep$1(____ptrval____)"),
};

for (const [how, hide] of Object.entries(HIDDEN)) {
  Deno.test(`conformRecording() takes ${how} for the pointer of mark_mmio_spte, as 4.19 prints`, async () => {
    const recording = await recordingOf(PROFILES.linux_4_19_npt, "linux-4.10/npt/s3", "4.19", hide);
    assert(agrees(recording, PROFILES.linux_4_19_npt));
  });
}

for (const [how, hide] of Object.entries(HIDDEN)) {
  Deno.test(`conformRecording() compares all of fast_page_fault but ${how} in place of its pointer`, async () => {
    const profile = PROFILES.linux_4_19_npt;
    // Entries of tables name the model's page ids there, and pointers its serials: some of these disagree in any case.
    const matched = async (change: (line: string) => string) =>
      conformRecording(await recordingOf(profile, "linux-4.10/npt/s5", "4.19", change), { profile, level: 3 })
        .levels[3]!.matched;
    const shown = await matched((line) => line);
    assertEquals(await matched(hide), shown);
    assert(await matched((line) => hide(line).replace(/(fast_page_fault: .*)fixed 1/, "$1fixed 0")) < shown);
  });
}

Deno.test("conformRecording() notices one hash for two pointers", async () => {
  const one = (line: string) => line.replace(/sptep:[0-9a-f]{16}/, "sptep:0000000012345678");
  const recording = await recordingOf(PROFILES.linux_4_19_npt, "linux-4.10/npt/s3", "4.19", one);
  assertEquals(agrees(recording, PROFILES.linux_4_19_npt), false);
});

Deno.test("conformRecording() takes 0x and decimal numbers of probes in a kernel of the line of 3.11", async () => {
  const change = (line: string) =>
    line.includes(": (")
      ? line.replace(/(?<!ret)=([0-9a-f]+)/g, (_, digits) => `=0x${digits}`).replace(/direct=0x/, "direct=")
      : line;
  const recording = await recordingOf(PROFILES.linux_3_13_npt, "linux-3.11/npt/s19", "3.13", change);
  assertEquals(chooseProfile(recording).name, "linux_3_13_npt");
  assert(agrees(recording, PROFILES.linux_3_13_npt));
});

Deno.test("4.19 splits the gfn, so its sptes are not those of 4.10", async () => {
  const [old, later] = [PROFILES.linux_4_10_npt, PROFILES.linux_4_19_npt].map((profile) => profile.layout());
  assertNotEquals(old.encode(0xfee00, 6, 0xfff6e), later.encode(0xfee00, 6, 0xfff6e));
  const text = await textOf("linux-4.10/npt/s3");
  assertEquals(agrees(read(text), PROFILES.linux_4_19_npt), false);
});

Deno.test("chooseProfile() takes the release of 6.1 where nothing shows which it is, and what was seen where something does", async () => {
  const alike = read(await textOf("linux-6.1/tdp/s3"));
  assertEquals([undefined, "6.1.192", "6.1.187"].map((release) => chooseProfile(alike, release).name), [
    "linux_6_1_npt_tdp",
    "linux_6_1_npt_tdp",
    "linux_6_1_npt_tdp_187",
  ]);
  assertEquals(chooseProfile(read(await textOf("linux-6.1/tdp/s16")), "6.1.187").name, "linux_6_1_npt_tdp");
  assertEquals(chooseProfile(read(await textOf("linux-6.1/tdp-6.1.187/s16")), "6.1.192").name, "linux_6_1_npt_tdp_187");
});
