import { assertEquals, assertStringIncludes } from "@std/assert";
import { DENO_IO } from "./deno_io.ts";
import { runLab } from "./run_lab.ts";
import { lab, MemoryIo } from "./testdata/memory_io.ts";

const WALKS = new URL("../fidelity/testdata/walks/", import.meta.url).pathname;
const SMALL = `${WALKS}walks-long4-no1g-1.ndjson.gz`;

async function walks(...args: string[]): Promise<{ code: number; io: MemoryIo }> {
  const io = new MemoryIo();
  io.readFile = (path) => DENO_IO.readFile(path);
  return { code: await runLab(["walks", ...args], io), io };
}

/** The lines of a small file, uncompressed. */
async function lines(): Promise<string[]> {
  const plain = (await DENO_IO.readFile(SMALL)).pipeThrough(
    new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>,
  );
  return (await new Response(plain as BodyInit).text()).trimEnd().split("\n");
}

Deno.test("lab walks agrees with every recorded walk, in all ten files", async () => {
  const files = [...Deno.readDirSync(WALKS)].map(({ name }) => name).filter((name) => name.endsWith(".gz"));
  assertEquals(files.length, 10);
  const { code, io } = await walks(...files.map((name) => WALKS + name));
  assertEquals([code, io.output, io.errors], [0, "42000 walks, 0 mismatches\n", ""]);
});

Deno.test("lab walks reads plain text, and a last line without an end", async () => {
  const text = (await lines()).slice(0, 11).join("\n");
  assertEquals((await lab("walks a.ndjson", { files: { "a.ndjson": text } })).output, "10 walks, 0 mismatches\n");
});

Deno.test("lab walks shows a mismatch with file, line, walk, what was expected and what came", async () => {
  const [header, first, ...rest] = (await lines()).slice(0, 4);
  assertStringIncludes(first, '"error":7');
  const files = { "a.ndjson": [header, first.replace('"error":7', '"error":5'), ...rest, ""].join("\n") };
  const { code, output } = await lab("walks a.ndjson", { files });
  assertEquals([code, output], [
    1,
    "a.ndjson:2: walk 0\n  expected  #PF error 0x5\n  got       #PF error 0x7\n3 walks, 1 mismatches\n",
  ]);
});

Deno.test("lab walks --rules shows where 3.11 is not as the manual", async () => {
  const { code, io } = await walks("--rules", "linux_3_11", `${WALKS}walks-pae-1.ndjson.gz`);
  assertEquals(code, 1);
  // Bits 6:5 of a PDPTE: no #GP. The last line counts all of them, of which twenty are shown.
  assertStringIncludes(io.output, "expected  #GP\n");
  assertStringIncludes(io.output, "\n5000 walks, 23 mismatches\n");
  assertEquals(io.output.split("\n").length, 20 * 3 + 2);
});

for (
  const [name, change, message] of [
    ["no header", (all: string[]) => all.slice(1), 'a.ndjson, line 1: expected a header, "header":1'],
    ["nothing", () => [], "a.ndjson, line 1: expected a JSON object"],
    ["no JSON", (all: string[]) => [all[0], "{"], "a.ndjson, line 2: expected a JSON object"],
    [
      "an entry too few",
      (all: string[]) => [all[0], all[1].replace(/"before":\["[^"]*",/, '"before":[')],
      "line 2: expected 4 entries",
    ],
    ["another mode", (all: string[]) => [all[0], all[1].replace("long4", "pae")], 'line 2: expected "mode":"long4" as'],
    [
      "a flag that is none",
      (all: string[]) => [all[0], all[1].replace('"wp":1', '"wp":2')],
      'expected "wp" to be 0 or 1',
    ],
    [
      "an address that is none",
      (all: string[]) => [all[0], all[1].replace('"la":"0x', '"la":"')],
      'expected "la" to be',
    ],
    ["no access", (all: string[]) => [all[0], all[1].replace('"write"', '"stare"')], 'line 2: expected "access" to be'],
  ] as const
) {
  Deno.test(`lab walks names file and line of bad input: ${name}`, async () => {
    const text = change((await lines()).slice(0, 3)).join("\n") + "\n";
    const { code, output, errors } = await lab("walks a.ndjson", { files: { "a.ndjson": text } });
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
    assertEquals(errors.trimEnd().split("\n").length, 1);
  });
}

Deno.test("lab walks says what is wrong with its arguments, and with damaged gzip", async () => {
  assertEquals((await lab("walks")).errors, "lab walks: Name at least one file of recorded walks\n");
  assertStringIncludes((await lab("walks nowhere")).errors, "Cannot read nowhere: there is no such file");
  assertStringIncludes((await lab("walks a --rules linux_3_1")).errors, "did you mean 'linux_3_11'?");
  const whole = await Deno.readFile(SMALL);
  const { code, errors } = await lab("walks a.gz", { files: { "a.gz": whole.subarray(0, 1000) } });
  assertEquals(code, 2);
  assertStringIncludes(errors, "Cannot use recorded walks a.gz: expected a whole gzip stream");
});
