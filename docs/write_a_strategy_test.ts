/**
 * Follows write-a-strategy.md: each of its four strategies does what the text says of it.
 *
 * @module
 */
import { type StrategyFactory, testStrategy } from "@mmu-lab/invalidation";
import { runScenario } from "@mmu-lab/lab";
import { PROFILES, withStrategy } from "@mmu-lab/machine";
import { WORKLOADS } from "@mmu-lab/workloads";
import { assertEquals } from "@std/assert";

/** The strategies of the tutorial, in order: the `ts` blocks that make one. */
async function strategies(): Promise<StrategyFactory[]> {
  const text = await Deno.readTextFile(new URL("write-a-strategy.md", import.meta.url));
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
  const modules = await Promise.all(
    blocks.map((code) => import(`data:application/typescript,${encodeURIComponent(code)}`)),
  );
  return modules.map((module) => module.default);
}

/** How many conformance tests pass, and how many do not. */
function suite(strategy: StrategyFactory): { passed: number; failed: number } {
  const count = { passed: 0, failed: 0 };
  testStrategy(strategy, {
    test(_name, body) {
      try {
        body();
        count.passed++;
      } catch {
        count.failed++;
      }
    },
  });
  return count;
}

function race(strategy: StrategyFactory, workload: string) {
  const { defaultPages, generate } = WORKLOADS[workload];
  const scenario = generate({ pages: defaultPages, vcpus: 1, seed: 0 });
  return runScenario(scenario, withStrategy(PROFILES.linux_3_17_ept, strategy, "regions")).counters;
}

Deno.test("the tutorial's strategies pass as many conformance tests as it says", async () => {
  assertEquals((await strategies()).map(suite), [
    { passed: 22, failed: 16 },
    { passed: 32, failed: 6 },
    { passed: 38, failed: 0 },
    { passed: 38, failed: 0 },
  ]);
});

Deno.test("the tutorial's strategies do in the workloads what it says", async () => {
  const [never, number, wrapping, regions] = await strategies();
  assertEquals(race(never, "vga-toggle").staleAccesses, 32);
  assertEquals(race(number, "vga-toggle").staleAccesses, 0);
  assertEquals(race(wrapping, "vga-toggle").mmioRefaults, 224);
  assertEquals(race(regions, "vga-toggle").mmioRefaults, 64);
  assertEquals(race(regions, "refault").mmioRefaults, 0);
  assertEquals(race(regions, "refault").mmioFastHits, 8128);
});
