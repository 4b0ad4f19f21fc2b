import { assertEquals, assertStringIncludes } from "@std/assert";
import { CHECK_SCENARIOS } from "@mmu-lab/checker";
import { lab } from "./testdata/memory_io.ts";

const TRUSTING = { name: "trusting", maxGeneration: 0, stamp: () => 0, isCurrent: () => true };

Deno.test("lab check calls a strategy sound when every interleaving is", async () => {
  const { code, output, errors } = await lab("check --strategy hybrid --scenario flags");
  assertEquals(code, 0, errors);
  assertStringIncludes(output, "hybrid on linux_4_4_ept, 2 vCPUs, 1 update, generation cut to 3 bits\n");
  assertStringIncludes(output, "sound within bounds (every interleaving)");
});

Deno.test("lab check ends with exit code 3 and a story where something goes wrong", async () => {
  const { code, output } = await lab("check --profile linux_3_11_ept");
  assertEquals(code, 3);
  assertStringIncludes(output, "\nunsound\n");
  assertStringIncludes(output, "\n   1. ");
  assertStringIncludes(output, "      stale MMIO: ");
});

Deno.test("lab check ends with exit code 4 and what was covered when the budget is used up", async () => {
  const { code, output } = await lab("check --max-states 500");
  assertEquals(code, 4);
  assertStringIncludes(output, "budget exhausted\n");
  assertStringIncludes(output, "  covered    500 states, in none of which anything was wrong\n");
});

Deno.test("lab check gives a schedule that it replays to the same violation", async () => {
  const first = JSON.parse((await lab("check --strategy none --json")).output);
  const { message, schedule, steps, preemptions } = first.report.violation;
  const { code, output } = await lab(`check --strategy none --schedule ${schedule} --json`);
  assertEquals(code, 3);
  const { report } = JSON.parse(output);
  assertEquals(report.scheduler, "replay");
  assertEquals(report.violation, { message, schedule, steps, preemptions });
  const half = await lab(`check --strategy none --scheduler replay --schedule a2`);
  assertEquals(half.code, 4);
  assertStringIncludes(half.output, "one schedule, which ends before all are done; nothing was wrong in it");
});

for (const scheduler of ["pct --runs 20", "random --runs 20 --seed 7", "round-robin"]) {
  Deno.test(`lab check --scheduler ${scheduler} never says sound: it has not seen everything`, async () => {
    const { code, output } = await lab(`check --scheduler ${scheduler}`);
    assertEquals(code, 4);
    assertStringIncludes(output, "in which nothing was wrong\n");
  });
}

Deno.test("lab check --scenario all prints a line of JSON for each, and ends with the worst verdict", async () => {
  const { code, output } = await lab("check --scenario all --preemptions 0 --strategy none --json");
  assertEquals(code, 3);
  const records = output.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(records.map(({ scenario }) => scenario), Object.keys(CHECK_SCENARIOS));
  const { report, ...rest } = records[1];
  assertEquals(rest, {
    version: 1,
    profile: "linux_4_4_ept",
    strategy: "none",
    scenario: "create-used",
    vcpus: 2,
    updates: 1,
    bits: 3,
    settled: "returned",
  });
  assertEquals(report.verdict, "unsound");
  assertEquals(records.at(-1).report.exhaustive, false);
});

Deno.test("lab check takes more vCPUs and updates", async () => {
  const size = await lab("check --scenario flags --vcpus 3 --updates 2 --preemptions 1");
  assertEquals(size.code, 0, size.errors);
  assertStringIncludes(size.output, "3 vCPUs, 2 updates");
  const refused = await lab("check --vcpus 26");
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.errors, "'--vcpus 26'");
});

Deno.test("lab check --strict finds that 4.4 fills the vCPU's cache in flux (B03)", async () => {
  const { code, output } = await lab("check --scenario create --strict");
  assertEquals(code, 3);
  assertStringIncludes(output, "a change counts once published");
  assertStringIncludes(output, "(in flux)");
});

Deno.test("lab check takes a strategy from a module", async () => {
  const modules = { "./mine.ts": { default: () => TRUSTING } };
  const { code, output } = await lab("check --strategy ./mine.ts", { modules });
  assertEquals(code, 3);
  assertStringIncludes(output, "trusting on linux_4_4_ept");
  const broken = { "./mine.ts": { default: { ...TRUSTING, stamp: () => -1 } } };
  const mistake = await lab("check --strategy ./mine.ts", { modules: broken });
  assertEquals(mistake.code, 2);
  assertStringIncludes(mistake.errors, "stamp() returns -1");
});

Deno.test("lab check leaves a kernel without generation as it is", async () => {
  const { code, output } = await lab("check --profile linux_3_10_ept --scenario flags --preemptions 1");
  assertEquals(code, 0);
  assertStringIncludes(output, "fullWalk on linux_3_10_ept, 2 vCPUs, 1 update\n");
});

for (
  const [args, message] of [
    ["--scenario crate", "Unknown scenario 'crate'; did you mean 'create'?"],
    ["--profile linux", "Unknown profile 'linux'"],
    ["--strategy non", "Unknown strategy 'non'; did you mean 'none'?"],
    ["--scheduler bfs", "Unknown scheduler 'bfs'; did you mean 'dfs'?"],
    ["--scheduler replay", "Option '--schedule' is missing"],
    ["--schedule a9z", "Cannot replay 'a9z' here: Cannot parse schedule"],
    ["--schedule a500", "Cannot replay 'a500' here: Cannot let actor 0 take step"],
    ["--runs 5", "Option '--runs' is for --scheduler pct or random, not for dfs"],
    ["--scheduler pct --preemptions 1", "Option '--preemptions' is for --scheduler dfs, not for pct"],
    ["--bits 2", "Cannot use '--bits 2': expected a whole number from 3 to 20, or full"],
    ["--bits 3 --profile linux_3_10_ept", "Cannot use '--bits 3' with linux_3_10_ept"],
  ]
) {
  Deno.test(`lab check says what is wrong in one line: ${message}`, async () => {
    const { code, output, errors } = await lab(`check ${args}`);
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
    assertEquals(errors.trimEnd().split("\n").length, 1);
  });
}
