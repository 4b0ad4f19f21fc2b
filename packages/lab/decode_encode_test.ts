import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { lab } from "./testdata/memory_io.ts";

/** Facts sheet 2.5, 4.10, 4.11: what goes in, the entry, and what is read back where it differs. */
const GOLDEN = [
  { layout: "linux_3_11_ept", gfn: 0xfee00, access: 7, generation: 0x7ff69, spte: "0xfff00000fee00b4e" },
  { layout: "linux_3_11_ept", gfn: 0xfee00, access: 7, generation: 0x7ff6a, spte: "0xfff00000fee00b56" },
  { layout: "linux_3_11_ept", gfn: 0xb8, access: 6, generation: 0x7ffff, spte: "0xfff00000000b8ffe" },
  { layout: "linux_3_11_ept", gfn: 0xd0000, access: 7, generation: 0, spte: "0xc0000000d0000006" },
  { layout: "linux_3_11_shadow", bits: 36, gfn: 0xfee00, access: 7, generation: 0x7ff69, spte: "0xfffffff0fee00b4f" },
  { layout: "linux_3_11_shadow", bits: 40, gfn: 0xb8, access: 3, generation: 0x7fffe, spte: "0xffffff00000b8ff3" },
  { layout: "linux_3_11_shadow", bits: 46, gfn: 0xd0000, access: 7, generation: 0, spte: "0xc00fc000d0000007" },
  { layout: "linux_4_19_ept", bits: 39, gfn: 0xfee00, access: 7, generation: 0xfff6a, spte: "0x7ff0007cfee00dae" },
  { layout: "linux_4_19_ept", bits: 39, gfn: 0x7c00123, access: 7, generation: 0xfff6a, spte: "0x7ff00ffc00123dae" },
  { layout: "linux_4_19_ept", bits: 46, gfn: 0x3e0000123, access: 7, generation: 0xfff6a, spte: "0x7ff7fe0000123dae" },
  { layout: "linux_4_10_ept", gfn: 0xfee00, access: 7, generation: 0xfff6a, spte: "0xfff00000fee00dae" },
  {
    layout: "linux_4_10_ept",
    gfn: 0xfee00,
    access: 7,
    generation: 0xfff6b,
    reads: 0xfff6a,
    spte: "0xfff00000fee00dae",
  },
  { layout: "linux_4_10_ept", gfn: 0xfee00, access: 7, generation: 2, spte: "0xc0000000fee0000e" },
  { layout: "linux_3_17_ept", gfn: 0xfee00, access: 7, generation: 0x12344, spte: "0xc4800000fee00d16" },
  { layout: "linux_6_1_ept", gfn: 0xfee00, access: 7, generation: 2, spte: "0xfee00016" },
  { layout: "linux_6_12_ept", gfn: 0xfee00, access: 7, generation: 0x7fffe, spte: "0x7ff00000fee007f6" },
  { layout: "linux_6_1_ept", gfn: 0xfed00, access: 7, generation: 0x12345, spte: "0x12300000fed0022e" },
  { layout: "linux_6_1_shadow", gfn: 0xfee00, access: 7, generation: 0, spte: "0x80000fee00007" },
  { layout: "linux_6_12_shadow", gfn: 0xfed00, access: 7, generation: 0x12345, spte: "0x12380000fed0022f" },
];

for (const { layout, bits = 40, gfn, access, generation, reads = generation, spte } of GOLDEN) {
  const host = `--layout ${layout} --maxphyaddr ${bits}`;
  const record = {
    spte,
    mmio: true,
    gfn: `0x${gfn.toString(16)}`,
    access: layout.endsWith("_ept") ? 0 : access & 6,
    generation: reads,
  };

  Deno.test(`lab decode reads the golden value ${spte} of ${layout}`, async () => {
    const { code, output } = await lab(`decode ${spte} ${host} --json`);
    assertEquals([code, JSON.parse(output)], [0, record]);
  });

  Deno.test(`lab encode writes the golden value ${spte} of ${layout}`, async () => {
    const parts = `--gfn ${record.gfn} --access ${access} --generation ${generation}`;
    const { code, output } = await lab(`encode ${host} ${parts}`);
    assertEquals([code, output], [0, spte + "\n"]);
    assertEquals(JSON.parse((await lab(`encode ${host} ${parts} --json`)).output), record);
  });
}

Deno.test("lab decode knows the L1TF split of a Haswell", async () => {
  const { output } = await lab("decode 1fa810000016 --layout linux_6_1_ept --l1tf --cache-bits 44 --json");
  assertEquals(JSON.parse(output), { spte: "0x1fa810000016", mmio: true, gfn: "0xa810000", access: 0, generation: 2 });
});

Deno.test("lab decode prints a field table for people, and says what is no MMIO spte", async () => {
  const { output } = await lab("decode 0xfff00000fee00b4e 0 --layout linux_3_11_ept");
  assertStringIncludes(output, "mmio, gfn 0xfee00, access not stored, generation 0x7ff69\n  63:62  mask");
  assertStringIncludes(output, "\n\n0x0 (linux_3_11_ept): non-present, empty\n");
  const json = await lab("decode 0xa0d77 --layout linux_3_11_ept --json");
  assertEquals(JSON.parse(json.output), { spte: "0xa0d77", mmio: false, kind: "present leaf" });
});

Deno.test("lab decode goes through many lines as they arrive", async () => {
  const block = "0xfff00000fee00b4e\n".repeat(10_000);
  const { code, io } = await lab("decode - --layout linux_3_11_ept", { stdin: Array(12).fill(block) });
  assertEquals(code, 0);
  assertEquals(io.writes.length, 12);
  assertEquals(io.writes.every((text) => text.split("\n").length === 10_001), true);
});

Deno.test("lab decode names the line that it cannot read, and writes nothing of its block", async () => {
  const { code, output, errors } = await lab("decode --layout linux_3_11_ept", { stdin: ["0x1\n\n", "0x2\nzz\n"] });
  assertEquals(code, 2);
  assertEquals(output, '{"spte":"0x1","mmio":false,"kind":"present leaf or table"}\n');
  assertStringIncludes(errors, "lab decode: line 4 of standard input: Cannot parse spte 'zz': expected");
});

Deno.test("lab encode reads JSON lines, and decode takes what it writes back", async () => {
  const parts = [{ gfn: "0xfee00", access: 7, generation: 123 }, { gfn: 0xd0000, access: 3, generation: "0x7f" }];
  const stdin = [parts.map((part) => JSON.stringify(part)).join("\n")];
  const { code, output } = await lab("encode --layout linux_6_1_shadow", { stdin });
  assertEquals(code, 0);
  const records = output.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(records.map(({ gfn, access, generation }) => [gfn, access, generation]), [
    ["0xfee00", 6, 123],
    ["0xd0000", 2, 0x7f],
  ]);
  const again = await lab("decode - --layout linux_6_1_shadow", { stdin: records.map(({ spte }) => spte + "\n") });
  assertEquals(again.output, output);
});

for (
  const [args, line, message] of [
    ["encode --layout linux_3_11_ept", "[1]", `line 1 of standard input: Cannot read '[1]': expected {"gfn":`],
    ["encode --layout linux_3_11_ept", "{", "line 1 of standard input: Cannot read '{'"],
    [
      "encode --layout linux_3_11_ept",
      '{"gfn":"0x1","access":7}',
      "a whole number for 'generation', such as 123: it is",
    ],
    ["encode --layout linux_3_11_ept", '{"gfn":1,"access":8,"generation":0}', "Cannot encode access 0x8"],
    ["encode --layout linux_3_11_ept", '{"gfn":-1,"access":8,"generation":0}', "Cannot encode gfn 0x-1"],
    ["encode --layout linux_3_11_ept --gfn 1", "", "Option '--access' is missing"],
    ["encode --layout linux_3_11_ept 0x1", "", "Unexpected argument '0x1': write --gfn 0x1"],
    ["decode 1 - --layout linux_3_11_ept", "", "Cannot read standard input and arguments at once"],
    ["decode 1", "", "Option '--layout' is missing"],
    ["decode 1 --layout linux_3_11_etp", "", "Unknown layout 'linux_3_11_etp'; did you mean 'linux_3_11_ept'?"],
    [
      "decode 1 --layout linux_6_1_ept --maxphyaddr 99",
      "",
      "Cannot use '--maxphyaddr 99': expected a whole number from 36",
    ],
    ["decode 12345678901234567 --layout linux_6_1_ept", "", "Cannot parse spte '12345678901234567'"],
  ] as const
) {
  Deno.test(`lab ${args} ${line} is bad input`, async () => {
    const { code, output, errors } = await lab(args, { stdin: [line] });
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
    assertEquals(errors.split("\n").length, 2);
  });
}

Deno.test("lab decode with nothing to decode says what to do", async () => {
  const { code, errors } = await lab("decode --layout linux_3_11_ept");
  assertEquals(code, 2);
  assert(errors.startsWith("lab decode: Nothing to do: name an spte"));
});
