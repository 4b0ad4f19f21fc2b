import { assertEquals } from "@std/assert";
import { KvmStats } from "@mmu-lab/paging";
import { compareStatistics } from "./compare_statistics.ts";

Deno.test("compareStatistics() adds the vCPUs' counters up, and takes off what the host's interrupts cost", () => {
  const text = "scenario=s3 cfg=tdp seed=0 vcpus=2\nvm mmu_cache_miss=0\nvcpu0 exits=347\nvcpu0 irq_exits=1\n" +
    "vcpu1 exits=10\nvcpu1 irq_exits=2\nvcpu0 halt_exits=7\n";
  const statistics = Object.assign(new KvmStats(), { exits: 354 });
  assertEquals(compareStatistics(text, statistics), { matched: 2, total: 2, differences: [] });
});

Deno.test("compareStatistics() names what differs", () => {
  const text = "kvm largepages=25\nkvm exits=339\nkvm irq_exits=0\n";
  const statistics = Object.assign(new KvmStats(), { largepages: 24, exits: 339 });
  assertEquals(compareStatistics(text, statistics), {
    matched: 1,
    total: 2,
    differences: [{ name: "largepages", kernel: 25, model: 24 }],
  });
});
