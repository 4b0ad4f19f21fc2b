import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "./deno.json" with { type: "json" };
import { type Command, ExitCode } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { runLab } from "./run_lab.ts";
import { lab, MemoryIo } from "./testdata/memory_io.ts";

for (const args of ["", "help", "--help", "-h", "help help"]) {
  Deno.test(`lab ${args} lists the commands`, async () => {
    const { code, output } = await lab(args);
    assertEquals(code, 0);
    for (const { name, summary } of COMMANDS) assertStringIncludes(output, `  ${name.padEnd(8)}  ${summary}\n`);
  });
}

for (const { name, options } of COMMANDS) {
  Deno.test(`lab help ${name} names its options, in lines that fit`, async () => {
    const { code, output } = await lab(`help ${name}`);
    assertEquals(code, 0);
    for (const option of options) assertStringIncludes(output, `--${option.name}`);
    assertEquals(output.split("\n").filter(({ length }) => length > 120), []);
    assertEquals((await lab(`${name} --help`)).output, output);
  });
}

Deno.test("lab --version prints the package's version", async () => {
  assertEquals((await lab("--version")).output, `mmu-lab ${config.version}\n`);
});

for (
  const [args, message] of [
    ["comprae", "lab: Unknown command 'comprae'; did you mean 'compare'?"],
    ["--versoin", "lab: Unknown option '--versoin'; did you mean '--version'?"],
    ["help comprae", "lab: Unknown command 'comprae'; did you mean 'compare'?"],
    ["help compare decode", "lab: Unexpected argument 'decode': name one command"],
    ["compare --stratgies=a", "lab compare: Unknown option '--stratgies'; did you mean '--strategies'?"],
    ["compare --pages", "lab compare: Option '--pages' lacks its value: write --pages N"],
    ["demo now", "lab demo: Unexpected argument 'now'"],
    ["list", "lab list: Name one thing to list: strategies, profiles, layouts, workloads"],
    ["list layout", "lab list: Unknown list 'layout'; did you mean 'layouts'?"],
  ] as const
) {
  Deno.test(`lab ${args} is bad input`, async () => {
    assertEquals(await lab(args).then(({ code, output, errors }) => [code, output, errors]), [2, "", `${message}\n`]);
  });
}

Deno.test("runLab() reports what is no fault of the input in one line, with its place", async () => {
  const broken: Command = {
    name: "broken",
    summary: "",
    options: [],
    examples: [],
    run: () => Promise.reject(new TypeError("one\ntwo")),
  };
  const io = new MemoryIo();
  assertEquals(await runLab(["broken"], io, [broken]), ExitCode.FAILED);
  assert(/^lab broken: Something broke .*: TypeError: one two \(at .*\)\n$/.test(io.errors), io.errors);
});

for (const what of ["strategies", "profiles", "layouts", "workloads"]) {
  Deno.test(`lab list ${what} prints names with summaries, for people and as JSON`, async () => {
    const { output } = await lab(`list ${what}`);
    const entries: { name: string; summary: string }[] = JSON.parse((await lab(`list ${what} --json`)).output);
    assert(entries.length > 2);
    assertEquals(output.split("\n").length, entries.length + 1);
    for (const { name, summary } of entries) assert(output.includes(name) && output.includes(summary));
  });
}
