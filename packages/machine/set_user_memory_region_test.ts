import { EINVAL } from "@mmu-lab/memslots";
import { RingBuffer, SET_MEMORY_REGION } from "@mmu-lab/tracing";
import { assertEquals } from "@std/assert";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const RAM = { id: 0, gpa: 0x100000, size: 0x10000, flags: 0, userspaceAddr: 0x7f0000000000 };

/** What the calls return, and how many of them got to the function behind the ioctl. */
function calls(name: string, regions: readonly Partial<typeof RAM>[]): { results: number[]; seen: number } {
  const trace = new RingBuffer(1000);
  const vm = new Vm(PROFILES[name], { trace });
  const results = regions.map((region) => vm.memslot({ ...RAM, ...region }));
  const seen = Array.from(trace).filter(({ event }) => event === SET_MEMORY_REGION).length;
  return { results, seen };
}

Deno.test("setUserMemoryRegion() refuses the slots of KVM itself before anything is looked at", () => {
  for (const [name, id] of [["linux_3_11_ept", 125], ["linux_6_1_npt_tdp", 32764]] as const) {
    assertEquals(calls(name, [{ id }, { id: id - 1 }]), { results: [EINVAL, 0], seen: 1 }, name);
  }
});

Deno.test("setUserMemoryRegion() refuses flags that it does not know, from 6.8 on at once", () => {
  assertEquals(calls("linux_6_1_npt_tdp", [{ flags: 4 }]), { results: [EINVAL], seen: 1 });
  assertEquals(calls("linux_6_12_npt_tdp", [{ flags: 4 }]), { results: [EINVAL], seen: 0 });
});
