import { assert, assertEquals } from "@std/assert";
import { HostMemory } from "./host_memory.ts";

Deno.test("HostMemory.pfn() gives each gigabyte its frames in order of first use, pages inside in a row", () => {
  const memory = new HostMemory();
  assertEquals(memory.pfn(0x7f0000003000), 3);
  assertEquals(memory.pfn(0x555540000000 + 0x5000), 0x40000 + memoryOffset(0x555540005000));
  assertEquals(memory.pfn(0x7f0000000000), 0);
  assertEquals(memory.pfn(0x7f0000003fff), 3);
});

/** Page number of an address in its gigabyte. */
function memoryOffset(hva: number): number {
  return Math.floor((hva % 2 ** 30) / 4096);
}

Deno.test("HostMemory.write() and read() reach the same bytes, zero at first", () => {
  const memory = new HostMemory();
  const pfn = memory.pfn(0x7f0000001000);
  const into = new Uint8Array(8).fill(9);
  memory.read(pfn, 4090, into, 2, 6);
  assertEquals([...into], [9, 9, 0, 0, 0, 0, 0, 0]);
  memory.write(pfn, 4094, Uint8Array.of(1, 2, 3), 1, 2);
  memory.read(pfn, 4090, into, 0, 6);
  assertEquals([...into.subarray(0, 6)], [0, 0, 0, 0, 2, 3]);
});

Deno.test("HostMemory fills a region as told, and only there", () => {
  const memory = new HostMemory([{ hva: 0x7f0000000000, size: 0x2000, fill: [0x11223344, 0x55667788] }]);
  const read = (hva: number) => {
    const into = new Uint8Array(8);
    memory.read(memory.pfn(hva), hva % 4096, into, 0, 8);
    return [...into];
  };
  assertEquals(read(0x7f0000001ff8), [0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55]);
  assertEquals(read(0x7f0000002000), [0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("HostMemory knows which pages back a region", () => {
  const base = 0x7f0000000000;
  const memory = new HostMemory([
    { hva: base, size: 0x400000, pages: "hugetlb-2m" },
    { hva: base + 2 ** 30, size: 2 ** 30, pages: "hugetlb-1g" },
    { hva: base + 2 ** 31 + 0x100000, size: 0x500000, pages: "transparent-huge" },
  ]);
  assertEquals([base, base + 2 ** 30, base + 2 ** 31 + 0x100000, 0x1000].map((hva) => memory.mappingLevel(hva)), [
    2,
    3,
    1,
    1,
  ]);
  const huge = (offset: number) => memory.isTransparentHuge(base + 2 ** 31 + offset);
  // Only pieces of 2 MiB that lie in the region whole.
  assert(!huge(0x100000) && huge(0x200000) && huge(0x5fffff) && !memory.isTransparentHuge(base));
});
