import { MmioCache, VcpuMmu } from "@mmu-lab/paging";
import { assert, assertEquals } from "@std/assert";
import { FLAT_GUEST } from "./guest.ts";
import { AccessOutcome, Vcpu } from "./vcpu.ts";

function vcpu(): Vcpu {
  return new Vcpu(new VcpuMmu(3, { generation: "none", skipWhileInFlux: false }, FLAT_GUEST.paging));
}

Deno.test("Vcpu has the number and the MMU state that it was made with", () => {
  const made = vcpu();
  assertEquals(made.index, 3);
  assert(made.mmu.cache instanceof MmioCache);
});

Deno.test("Vcpu.prepareWrite() stores the operand, or the sum with what was read, cut to the size", () => {
  const made = vcpu();
  made.operand.set([0xff, 0xff, 3]);
  made.size = 2;
  made.kind = "write";
  made.prepareWrite();
  assertEquals([...made.writeBuffer.subarray(0, 4)], [0xff, 0xff, 0, 0]);
  made.kind = "rmw";
  made.outcome.data.set([2, 0]);
  made.prepareWrite();
  assertEquals([...made.writeBuffer.subarray(0, 4)], [1, 0, 0, 0]);
});

Deno.test("AccessOutcome is mmio if any piece left for a device", () => {
  const outcome = new AccessOutcome();
  outcome.ramAccesses = 1;
  assertEquals(outcome.kind, "ram");
  for (const counter of ["mmioReads", "mmioWrites", "deviceAccesses"] as const) {
    outcome[counter] = 1;
    assertEquals(outcome.kind, "mmio");
    outcome.clear();
    assertEquals([outcome.kind, outcome.ramAccesses, outcome.value], ["ram", 0, 0n]);
  }
});
