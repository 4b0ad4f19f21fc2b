import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { SimulationSummary } from "./simulate_summary.ts";
import { lab } from "./testdata/memory_io.ts";

const SMALL = "--vcpus 2 --pages 128 --accesses 32 --updates 3 --interval 100000";

async function simulate(args: string): Promise<SimulationSummary[]> {
  const { code, output, errors } = await lab(`simulate ${SMALL} ${args} --json`);
  assertEquals([code, errors], [0, ""]);
  return output.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("lab simulate --json prints an object for each strategy", async () => {
  const summaries = await simulate("--seed 3");
  assertEquals(summaries.map(({ strategy }) => strategy), ["fullWalk", "generation", "hybrid"]);
  for (const summary of summaries) {
    const { version, profile, cost, wrap, vcpus, pages, updates, seed } = summary;
    assertEquals([version, profile, cost, wrap], [1, "linux_3_17_ept", "nehalem-2011", false]);
    assertEquals([vcpus, pages, updates, seed], [2, 128, 3, 3]);
    assertEquals([summary.mmio.count, summary.update.count, summary.mmioByVcpu.length], [64, 3, 2]);
    assertEquals(summary.mmioByVcpu.reduce((sum, { count }) => sum + count, 0), 64);
    assertEquals(summary.locks.map(({ name }) => name), ["slots_lock", "mmu_lock"]);
    assert(summary.throughput > 0 && summary.cycles > 300_000);
    assertEquals(summary.backgroundWork > 0, summary.strategy === "hybrid");
  }
  const [fullWalk, generation] = summaries;
  assert(fullWalk.mmioDuringUpdates.max > generation.mmioDuringUpdates.max);
});

Deno.test("lab simulate prints a table that fits a terminal", async () => {
  const { code, output } = await lab(`simulate ${SMALL}`);
  assertEquals(code, 0);
  assert(/^cycles of virtual time +fullWalk +generation +hybrid$/m.test(output), output);
  assert(/^mmu_lock: longest wait( +[\d,]+){3}$/m.test(output), output);
  assert(!output.includes("wrap zaps"), output);
  assertEquals(output.split("\n").filter((line) => line.length > 80 && !line.startsWith("on linux")), []);
});

Deno.test("lab simulate --wrap brings the wrap into the run", async () => {
  const [generation, hybrid] = await simulate("--wrap --strategies generation,hybrid");
  assertEquals([generation.work.wrapZaps, hybrid.work.wrapZaps], [1, 0]);
  assert(generation.update.max > 5 * hybrid.update.max);
  const { output } = await lab(`simulate ${SMALL} --wrap --strategies generation,hybrid`);
  assertStringIncludes(output, "wrap zaps");
});

Deno.test("lab simulate --cost takes a preset, and numbers that differ from it", async () => {
  const [nehalem] = await simulate("--strategies generation");
  const [epyc] = await simulate("--strategies generation --cost epyc-2020");
  const [dear] = await simulate("--strategies generation --cost epyc-2020,exits=1000000");
  assert(epyc.mmio.p50 < nehalem.mmio.p50 && dear.mmio.p50 > 1_000_000);
});

Deno.test("lab simulate runs a strategy from a module", async () => {
  const own = { name: "mine", maxGeneration: 0, stamp: () => 0, isCurrent: () => true };
  const modules = { "./mine.ts": { default: own } };
  const { code, output } = await lab(`simulate ${SMALL} --strategies ./mine.ts --json`, { modules });
  assertEquals([code, JSON.parse(output).strategy], [0, "mine"]);
});

Deno.test("lab simulate leaves out strategies that the profile cannot have, and says so", async () => {
  const { code, output, errors } = await lab(`simulate ${SMALL} --profile linux_3_10_ept --json`);
  assertEquals([code, output.trimEnd().split("\n").length], [0, 1]);
  assertStringIncludes(errors, "lab simulate: note: generation is left out");
});

for (
  const [args, message] of [
    ["--strategies fullwalk", "Unknown strategy 'fullwalk'; did you mean 'fullWalk'?"],
    ["--profile linux_3_1_ept", "Unknown profile 'linux_3_1_ept'; did you mean"],
    ["--vcpus 300", "Cannot use '--vcpus 300': expected a whole number from 1 to 256"],
    ["--updates 1000", "Cannot create 1000 slots on linux_3_17_ept: it has 122 to spare"],
    ["--update-kind move", "Unknown kind of update 'move'"],
    ["--cost epyc", "Unknown cost model 'epyc'; did you mean 'epyc-2020'?"],
    ["--cost epyc-2020,exit=5", "Unknown kind of work 'exit'; did you mean 'exits'?"],
    ["--cost epyc-2020,exits", "expected such as gracePeriods=50000"],
    ["--wrap --profile linux_3_10_ept", "Cannot use '--wrap' with linux_3_10_ept: its MMIO sptes store no generation"],
    ["--wrap --updates 0", "ask for at least one update"],
  ] as const
) {
  Deno.test(`lab simulate ${args} is bad input`, async () => {
    const { code, output, errors } = await lab(`simulate ${args}`);
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
  });
}
