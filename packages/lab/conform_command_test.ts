import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DENO_IO } from "./deno_io.ts";
import { runLab } from "./run_lab.ts";
import { MemoryIo } from "./testdata/memory_io.ts";

const RECORDINGS = new URL("../fidelity/testdata/linux-3.11-ept/", import.meta.url).pathname;

async function conform(...args: string[]): Promise<{ code: number; io: MemoryIo }> {
  const io = new MemoryIo();
  io.readFile = (path) => DENO_IO.readFile(path);
  return { code: await runLab(["conform", ...args], io), io };
}

Deno.test("lab conform agrees with recordings and finds their profile by itself", async () => {
  const { code, io } = await conform(`${RECORDINGS}ept/s8.trace.txt.gz`, `${RECORDINGS}ept-noad/s8.trace.txt.gz`);
  assertEquals(code, 0, io.errors);
  assertStringIncludes(io.output, "ept/s8.trace.txt.gz            linux_3_11_ept    80/80  626/626");
  assertStringIncludes(io.output, "ept-noad/s8.trace.txt.gz  linux_3_11_ept_noad    80/80  638/638");
});

Deno.test("lab conform --json gives scores by level and no first mismatch where all agrees", async () => {
  const file = `${RECORDINGS}ept/s8.trace.txt.gz`;
  const { code, io } = await conform(file, "--json", "--level", "1");
  assertEquals(code, 0, io.errors);
  const { version, files, wallClock } = JSON.parse(io.output);
  assertEquals(version, 1);
  assertEquals(files, [
    {
      file,
      profile: "linux_3_11_ept",
      levels: { 1: { matched: 80, total: 80 } },
      firstMismatch: null,
      statistics: { matched: 17, total: 17, differences: [] },
    },
  ]);
  assertEquals(Object.keys(wallClock), ["lines", "seconds", "linesPerSecond"]);
  assertEquals(wallClock.lines, 1348);
});

Deno.test("lab conform shows the first mismatch and ends with exit code 1", async () => {
  const file = `${RECORDINGS}ept/s8.trace.txt.gz`;
  const { code, io } = await conform(file, "--profile", "linux_3_11_ept_noad", "--json");
  assertEquals(code, 1);
  const [{ levels, firstMismatch }] = JSON.parse(io.output).files;
  assert(levels[2].matched < levels[2].total);
  assertEquals(firstMismatch.kernel, "kvm_exit: reason EPT_VIOLATION rip 0x1000 info 82 0");
  const text = await conform(file, "--profile", "linux_3_11_ept_noad");
  assertStringIncludes(text.io.output, `${file}:${firstMismatch.line}: first mismatch, level 2, in operation seq=`);
});

const MISTAKES: [args: string[], message: string][] = [
  [[], "Name at least one recording"],
  [["nowhere.gz"], "Cannot read nowhere.gz"],
  [["x", "--profile", "linux_3_11_etp"], "Unknown profile 'linux_3_11_etp'; did you mean 'linux_3_11_ept'?"],
  [["x", "--level", "4"], "Cannot use level '4': write 1, 2 or 3"],
  [[new URL("./deno.json", import.meta.url).pathname], "Cannot parse trace"],
];

for (const [args, message] of MISTAKES) {
  Deno.test(`lab conform says what is wrong in one line: ${message}`, async () => {
    const { code, io } = await conform(...args);
    assertEquals(code, 2);
    assertEquals(io.output, "");
    assertStringIncludes(io.errors, message);
    assertEquals(io.errors.trimEnd().split("\n").length, 1);
  });
}

Deno.test("lab conform goes on after a file that cannot be used, and ends with exit code 2", async () => {
  const good = `${RECORDINGS}ept/s8.trace.txt.gz`;
  const bad = new URL("./deno.json", import.meta.url).pathname;
  const { code, io } = await conform("nowhere.gz", bad, good);
  assertEquals(code, 2);
  assertStringIncludes(io.errors, "Cannot read nowhere.gz");
  assertStringIncludes(io.errors, "Cannot parse trace");
  assertStringIncludes(io.output, "80/80");
  assertEquals(io.output.match(/cannot be used/g)?.length, 2);
  const json = await conform("nowhere.gz", good, "--json");
  assertEquals(json.code, 2);
  const [missing, found] = JSON.parse(json.io.output).files;
  assertEquals([missing.profile, missing.levels, missing.firstMismatch], [null, {}, null]);
  assertStringIncludes(missing.error, "there is no such file");
  assertEquals(found.levels[1], { matched: 80, total: 80 });
});

Deno.test("lab conform tells files with equal names apart by more of their paths", async () => {
  const root = new URL("../fidelity/testdata/", import.meta.url).pathname;
  const { io } = await conform(`${root}linux-3.11/npt/s8.trace.txt.gz`, `${root}linux-4.10/npt/s8.trace.txt.gz`);
  assertStringIncludes(io.output, "\nlinux-3.11/npt/s8.trace.txt.gz ");
  assertStringIncludes(io.output, "\nlinux-4.10/npt/s8.trace.txt.gz ");
});

Deno.test("lab conform prints the last events of both side by side, and its speed to standard error", async () => {
  const { io } = await conform(`${RECORDINGS}ept/s8.trace.txt.gz`, "--profile", "linux_3_11_ept_noad");
  const last = io.output.trimEnd().split("\n").at(-1)!;
  assertMatch(last, /info 82 0 +\| kvm_exit: reason EPT_VIOLATION rip 0x1000 info 81 0$/);
  assertMatch(io.errors, /lab conform: 1,348 lines in \d+\.\d s, [\d,]+ lines\/s\n$/);
});

Deno.test("lab conform --level 3 compares the MMU's own work too", async () => {
  const root = new URL("../fidelity/testdata/", import.meta.url).pathname;
  const { code, io } = await conform("--level", "3", `${root}linux-6.1/tdp/s8.trace.txt.gz`);
  assertEquals(code, 0, io.errors);
  assertMatch(io.output, /^recording +profile +level 1 +level 2 +level 3 +stats$/m);
  assertMatch(io.output, /linux_6_1_npt_tdp +\d+\/\d+ +\d+\/\d+ +([\d,]+)\/\1 +23\/23$/m);
});

Deno.test("lab conform names the statistics that differ, and shows none where none lie beside the trace", async () => {
  const file = `${RECORDINGS}ept/s8.trace.txt.gz`;
  const { io } = await conform(file, "--profile", "linux_3_11_ept_noad");
  assertMatch(io.output, /s8\.trace\.txt\.gz: statistics differ\n {2}\w+: the kernel [\d,]+, the model [\d,]+\n/);
  const copy = new MemoryIo({
    files: { "s8.trace.txt": await new Response(await DENO_IO.readFile(file) as BodyInit).bytes() },
  });
  assertEquals(await runLab(["conform", "s8.trace.txt"], copy), 0, copy.errors);
  assertEquals(copy.output.includes("stats"), false);
});
