import { assert, assertEquals, assertThrows } from "@std/assert";
import { PROFILES } from "@mmu-lab/machine";
import { KVM_MMU_INVALIDATE_ZAP_ALL_PAGES, RingBuffer } from "@mmu-lab/tracing";
import { WORKLOADS } from "./generators.ts";
import { runOperation, vmForScenario } from "./run_operation.ts";
import { validateScenario } from "./validate_scenario.ts";

const OPTIONS = { pages: 16, vcpus: 2, seed: 7 };

for (const [name, workload] of Object.entries(WORKLOADS)) {
  Deno.test(`WORKLOADS["${name}"] generates a scenario that validateScenario() accepts, the same for a seed`, () => {
    const scenario = workload.generate(OPTIONS);
    assertEquals(scenario.name, name);
    assertEquals(validateScenario(JSON.parse(JSON.stringify(scenario))), scenario);
    assertEquals(workload.generate(OPTIONS), scenario);
    assert(JSON.stringify(workload.generate({ ...OPTIONS, seed: 8 })) !== JSON.stringify(scenario));
  });

  Deno.test(`WORKLOADS["${name}"] runs on a machine, and only "random" has refused calls`, () => {
    const scenario = workload.generate({ ...OPTIONS, pages: name === "random" ? 400 : 16 });
    const vm = vmForScenario(scenario, PROFILES["linux_3_11_ept"]!);
    const results = scenario.operations.map((operation) => runOperation(vm, operation).ret);
    assertEquals(results.some((ret) => ret < 0), name === "random");
  });

  Deno.test(`WORKLOADS["${name}"] rejects options out of range`, () => {
    assertThrows(() => workload.generate({ ...OPTIONS, pages: 0 }), RangeError, "with pages 0: expected an integer");
    assertThrows(() => workload.generate({ ...OPTIONS, vcpus: 1.5 }), RangeError, "with vcpus 1.5");
  });
}

Deno.test('WORKLOADS["many-pages"] makes a leaf table for each page', () => {
  const scenario = WORKLOADS["many-pages"]!.generate({ pages: 600, vcpus: 1, seed: 1 });
  const vm = vmForScenario(scenario, PROFILES["linux_3_11_ept"]!);
  for (const operation of scenario.operations) runOperation(vm, operation);
  assert(vm.mmu.pool.used >= 600, `${vm.mmu.pool.used} pages`);
  assert(vm.mmu.pool.used <= scenario.maxShadowPages!);
});

Deno.test('WORKLOADS["hotplug"] rejects more pages than the memory has', () => {
  assertThrows(() => WORKLOADS["hotplug"]!.generate({ ...OPTIONS, pages: 40_000 }), RangeError, "the memory has 32768");
});

Deno.test('WORKLOADS["wrap"] reaches the first wrap of 3.11, and ends behind it', () => {
  const scenario = WORKLOADS["wrap"]!.generate(OPTIONS);
  const trace = new RingBuffer(100_000);
  const vm = vmForScenario(scenario, PROFILES["linux_3_11_ept"]!, { trace });
  for (const operation of scenario.operations) runOperation(vm, operation);
  let zaps = 0;
  for (const record of trace) if (record.event === KVM_MMU_INVALIDATE_ZAP_ALL_PAGES) zaps++;
  assertEquals(zaps, 2); // at 0x7fffe and at 0x7ffff, as recorded in s19
});
