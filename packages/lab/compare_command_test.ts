import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Comparison } from "./comparison.ts";
import { MEASURES } from "./measures.ts";
import { B01, lab, type MemoryIoOptions } from "./testdata/memory_io.ts";

async function compare(args: string, options: MemoryIoOptions = {}): Promise<Comparison> {
  const { code, output, errors } = await lab(`compare ${args} --json`, options);
  assertEquals(code, 0, errors);
  return JSON.parse(output);
}

async function fails(args: string, message: string, options: MemoryIoOptions = {}): Promise<void> {
  const { code, output, errors } = await lab(`compare ${args}`, options);
  assertEquals([code, output], [2, ""]);
  assertStringIncludes(errors, `lab compare: `);
  assertStringIncludes(errors, message);
  assertEquals(errors.split("\n").length, 2, errors);
}

const SCENARIO = {
  version: 1,
  name: "mine",
  guest: "flat",
  hostMemory: [],
  operations: [
    { op: "vcpu-create" },
    { op: "read", vcpu: 0, gva: 0x2000, size: 4 },
    { op: "memslot", id: 1, gpa: 0, size: 0x4000, flags: 0, userspaceAddr: 0x10000 },
    { op: "read", vcpu: 0, gva: 0x2000, size: 4 },
  ],
};
const scenario = (...more: unknown[]) => JSON.stringify({ ...SCENARIO, operations: [...SCENARIO.operations, ...more] });

Deno.test("lab compare runs many-pages under three strategies, and the walk pays by the page", async () => {
  const { version, scenario, profile, strategies } = await compare("--pages 256");
  assertEquals([version, scenario, profile], [1, "many-pages", "linux_3_17_ept"]);
  assertEquals(strategies.map(({ name, sound }) => [name, sound]), [
    ["fullWalk", true],
    ["generation", true],
    ["hybrid", true],
  ]);
  const [fullWalk, generation, hybrid] = strategies.map(({ counters }) => counters);
  for (const { key } of MEASURES) assertEquals(typeof generation[key], "number", key);
  assert(fullWalk.worstUpdateUnits > 256 && generation.worstUpdateUnits < 10 && hybrid.worstUpdateUnits < 20);
  assert(generation.mmioRefaults > 0 && fullWalk.mmioRefaults === 0);
  assert(hybrid.sweepUnits > 0 && generation.sweepUnits === 0);
  assertEquals(new Set(strategies.map(({ counters }) => counters.mmioAccesses)).size, 1);
});

Deno.test("lab compare prints a table that fits a terminal, and what it shows", async () => {
  const { output } = await lab("compare --pages 64");
  assert(/^ +fullWalk +generation +hybrid$/m.test(output), output);
  assert(/^worst update, units( +[\d,]+){3}$/m.test(output), output);
  assertStringIncludes(output, "No access went the wrong way on this run.");
  assertEquals(output.split("\n").slice(2).filter(({ length }) => length > 80), []);
});

Deno.test("lab compare counts what shadow paging does for a guest that changes its tables, and only there", async () => {
  const args = "--workload processes --pages 64 --vcpus 2 --strategies generation";
  const { counters, sound } = (await compare(`${args} --profile linux_3_11_shadow`)).strategies[0];
  assert(sound);
  const { guestWalks, gptesRead, gptesWritten, pagesUnsynced, pagesSynced } = counters;
  // A walk reads four entries; syncs and prefetches read more.
  assert(guestWalks > 64 && gptesRead > 4 * guestWalks && gptesWritten > 0, JSON.stringify(counters));
  assert(pagesUnsynced > 0 && pagesSynced > 0, JSON.stringify(counters));
  const { output } = await lab(`compare ${args} --profile linux_3_11_shadow`);
  for (const row of ["guest walks", "  guest entries read", "guest-table writes emulated", "pages synced"]) {
    assert(new RegExp(`^${row} +[1-9]`, "m").test(output), `${row}\n${output}`);
  }
  // With two-dimensional paging nobody but the processor looks at the guest's tables.
  const { output: ept } = await lab(`compare ${args}`);
  assertEquals(/guest|sync/.test(ept.replace(/^.*\n.*\n/, "")), false, ept);
});

for (const [name, wrong] of [["s1", 0], ["s17", 0], ["s18", 30]] as const) {
  Deno.test(`lab compare judges the recording ${name} of shadow paging by the guest's own tables`, async () => {
    const url = new URL(`../fidelity/testdata/linux-3.11-ept/shadow-vmx/${name}.trace.txt.gz`, import.meta.url);
    const options = { files: { "s.gz": await Deno.readFile(url) } };
    const { strategies } = await compare("s.gz --profile linux_3_11_shadow --strategies generation", options);
    const { staleByCache, staleBySpte } = strategies[0].counters;
    // What is wrong there is the vCPU's own MMIO cache, of 3.11 (B01).
    assertEquals([staleByCache, staleBySpte], [wrong, 0]);
  });
}

Deno.test("lab compare tells that none is unsound, and where it showed first", async () => {
  const { strategies } = await compare("tiny.txt --strategies none,generation", { files: { "tiny.txt": B01 } });
  assertEquals(strategies.map(({ name, sound }) => [name, sound]), [["none", false], ["generation", true]]);
  assertEquals(strategies[0].firstStale, {
    operation: 5,
    seq: 6,
    op: "read",
    vcpu: 0,
    gpa: "0xe0000000",
    expected: "memory",
    byCache: false,
  });
  const { output } = await lab("compare tiny.txt --strategies none,generation", { files: { "tiny.txt": B01 } });
  assertStringIncludes(output, "none is UNSOUND on this run: 1 of 2 accesses");
});

Deno.test("lab compare blames the cache of 3.11, not the strategy, for bug B01", async () => {
  const files = { "tiny.txt": B01 };
  const { strategies } = await compare("tiny.txt --strategies generation --profile linux_3_11_ept", { files });
  const { sound, counters } = strategies[0];
  assertEquals([sound, counters.staleByCache, counters.staleBySpte], [false, 1, 0]);
  const { output } = await lab("compare tiny.txt --strategies generation --profile linux_3_11_ept", { files });
  assertStringIncludes(output, "bug B01");
  assertEquals(output.includes("UNSOUND"), false);
});

Deno.test("lab compare does not blame the cache for what a stale spte taught it", async () => {
  const args = "--workload random --pages 3000 --vcpus 2 --strategies none";
  const { counters, sound } = (await compare(args)).strategies[0];
  assertEquals([sound, counters.staleByCache], [false, 0]);
});

Deno.test("lab compare agrees with itself: the same seed gives the same counts", async () => {
  const args = "--workload random --pages 500 --vcpus 2 --seed 7";
  assertEquals(await compare(args), await compare(args));
});

Deno.test("lab compare infers a scenario from a trace without markers, and says what it could not", async () => {
  const line = (text: string) => `           <...>-211   [000] ...2   21886: ${text}\n`;
  const trace = line("kvm_mmio: mmio write len 4 gpa 0xd0000000 val 0x1") +
    line("kvm_mmio: mmio write len 4 gpa 0xd0000000 val 0x2");
  const { code, output, errors } = await lab("compare any.trace.txt", { files: { "any.trace.txt": trace } });
  assertEquals(code, 0, errors);
  assert(output.startsWith("any: "), output);
  assertStringIncludes(
    errors,
    "lab compare: note: any.trace.txt has no markers: inferred 2 MMIO accesses and 0 memslot",
  );
});

Deno.test("lab compare takes several files, one JSON line each, and scenarios as JSON", async () => {
  const files = { "a.txt": B01, "b.json": scenario() };
  const { output } = await lab("compare a.txt b.json --json", { files });
  assertEquals(output.trim().split("\n").map((line) => JSON.parse(line).scenario), ["tiny", "mine"]);
});

Deno.test("lab compare leaves out the default strategies that a kernel cannot have, and says so", async () => {
  const { code, output, errors } = await lab("compare --pages 8 --profile linux_3_10_ept");
  assertEquals(code, 0);
  assert(/^ +fullWalk$/m.test(output), output);
  assertStringIncludes(errors, "note: generation is left out: ");
});

Deno.test("lab compare refuses what is no trace, or not whole", async () => {
  const gzip = new Uint8Array(
    await new Response(new Blob([B01]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
  assertEquals((await compare("t.gz --strategies none", { files: { "t.gz": gzip } })).scenario, "tiny");
  await fails("t.gz", "whole gzip stream", { files: { "t.gz": gzip.subarray(0, gzip.length / 2) } });
  await fails("t.txt", "line 13 of t.txt", { files: { "t.txt": B01.slice(0, -60) } });
  await fails("t.txt", "(the recording is truncated)", { files: { "t.txt": B01.replace(/.*op=done.*\n$/, "") } });
  await fails("t.txt", "the marker 'seq=0 op=scenario' first", { files: { "t.txt": B01.replace(/^.*\n/, "") } });
  await fails("t.txt", "line 1 of t.txt", { files: { "t.txt": "# hello\nworld\n".slice(8) } });
  await fails("t.txt", "t.txt", { files: { "t.txt": "" } });
  await fails("t.txt", "Cannot use trace t.txt: Cannot read 'gva' of marker 4 (read), line 8 of t.txt", {
    files: { "t.txt": B01.replace("gva=0xe", "gva=zz") },
  });
  await fails("t.dat", "trace-cmd report t.dat", { files: { "t.dat": "\u0017\u0008Dtracing\n\u0001\u0002" } });
  await fails("nowhere.txt", "Cannot read nowhere.txt: there is no such file");
});

Deno.test("lab compare refuses a scenario with a mistake, and names its place", async () => {
  const file = (text: string) => ({ files: { "s.json": text } });
  const overlap = { op: "memslot", id: 2, gpa: 0x3000, size: 0x1000, flags: 0, userspaceAddr: 0x90000 };
  await fails(
    "s.json",
    "s.json: Cannot run the scenario: operations[4] asks for slot 2, which overlaps slot 1 (EEXIST)",
    {
      ...file(scenario(overlap)),
    },
  );
  await fails("s.json", "refuses (errno 22)", file(scenario({ ...overlap, gpa: 5 })));
  await fails("s.json", "operations[4].asId is 9", file(scenario({ ...overlap, asId: 9 })));
  await fails("s.json", "slot 1, which is not there", {
    ...file(scenario({ ...overlap, id: 1, size: 0 }, { op: "bulk-flags", id: 1, count: 2 })),
  });
  await fails("s.json", "operations[4].op is", file(scenario({ op: "raed" })));
  await fails("s.json", "it is no JSON", file("{"));
});

for (
  const [args, message] of [
    ["--strategies fullwalk", "Unknown strategy 'fullwalk'; did you mean 'fullWalk'?"],
    ["--strategies generation,", "expected names with commas between"],
    ["--profile linux_3_1_ept", "Unknown profile 'linux_3_1_ept'; did you mean"],
    ["--workload manypages", "Unknown workload 'manypages'; did you mean 'many-pages'?"],
    ["--pages 0", "Cannot use '--pages 0': expected a whole number from 1 to"],
    ["--workload hotplug --pages 100000", "Cannot generate hotplug with 100000 pages"],
    ["trace.txt --pages 5", "Option '--pages' is for generated workloads: leave out it or 'trace.txt'"],
    ["--profile linux_3_10_ept --strategies generation", "its MMIO sptes store no generation"],
  ] as const
) {
  Deno.test(`lab compare ${args} is bad input`, async () => {
    await fails(args, message);
  });
}

Deno.test("lab compare --kernels races whole kernels over the same guest", async () => {
  const words = "linux_3_10_ept,linux_3_11_ept,linux_5_13_ept,linux_5_13_ept+hybrid";
  const { code, output, errors } = await lab(`compare --workload random --kernels ${words} --json`);
  assertEquals(code, 0, errors);
  const { profile, strategies } = JSON.parse(output);
  assertEquals(profile, null);
  const sound = strategies.map(({ name, sound }: { name: string; sound: boolean }) => [name, sound]);
  // In 3.11 the vCPU's own cache answers for what has become memory (B01); here 3.10 zaps the page in time.
  assertEquals(sound, words.split(",").map((name) => [name, name !== "linux_3_11_ept"]));
  const { output: text } = await lab(`compare --workload random --kernels ${words}`);
  assertStringIncludes(text, "each on its own kernel");
});

for (
  const [args, message] of [
    ["--kernels linux_3_11_etp", "Unknown profile 'linux_3_11_etp'; did you mean 'linux_3_11_ept'?"],
    ["--kernels linux_3_11_ept+hybird", "Unknown strategy 'hybird'; did you mean 'hybrid'?"],
    ["--kernels linux_3_11_ept+hybrid+none", "Cannot use kernel 'linux_3_11_ept+hybrid+none': write PROFILE or"],
    ["--kernels linux_3_11_ept --profile linux_3_10_ept", "Option '--profile' does not go with '--kernels'"],
  ]
) {
  Deno.test(`lab compare says what is wrong with kernels: ${message}`, async () => {
    const { code, errors } = await lab(`compare ${args}`);
    assertEquals(code, 2);
    assertStringIncludes(errors, message);
  });
}

Deno.test("lab help compare promises bug B01 of an example that shows it", async () => {
  const { output } = await lab("help compare");
  const [, args] = /# bug B01\n.*lab (compare .*)/.exec(output) ?? [];
  const { strategies } = JSON.parse((await lab(`${args} --json`)).output);
  assertEquals(
    strategies.some(({ counters }: { counters: Record<string, number> }) => counters.staleByCache > 0),
    true,
  );
});
