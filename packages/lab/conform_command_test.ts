import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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
  assertEquals(JSON.parse(io.output), {
    version: 1,
    files: [{ file, profile: "linux_3_11_ept", levels: { 1: { matched: 80, total: 80 } }, firstMismatch: null }],
  });
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
  [["x", "--level", "4"], "Cannot use level '4': write 1 or 2"],
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
