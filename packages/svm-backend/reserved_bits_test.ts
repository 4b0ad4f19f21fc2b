import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { hasReservedBits, memoryAddressBits, reservedAddressBits } from "./reserved_bits.ts";

Deno.test("reservedAddressBits() are those above MAXPHYADDR, but for what memory encryption uses", () => {
  const hex = (address: Parameters<typeof reservedAddressBits>[0]) => reservedAddressBits(address).toString(16);
  assertEquals(hex({ maxPhyAddr: 36 }), "ffff0");
  assertEquals(hex({ maxPhyAddr: 40 }), "fff00");
  assertEquals(hex({ maxPhyAddr: 52 }), "0");
  assertEquals(hex({ maxPhyAddr: 43, encryptionBit: 47 }), "f7800");
  assertEquals(hex({ maxPhyAddr: 43, encryptionBit: 51 }), "7f800");
  assertEquals(hex({ maxPhyAddr: 46, keyIdBits: 4 }), "c0000");
  assertEquals(hex({ maxPhyAddr: 46, keyIdBits: 6 }), "0");
});

Deno.test("memoryAddressBits() and reservedAddressBits() never overlap", () => {
  fc.assert(fc.property(fc.integer({ min: 36, max: 52 }), fc.nat(16), (maxPhyAddr, more) => {
    const address = { maxPhyAddr, keyIdBits: Math.min(more, 52 - maxPhyAddr) };
    assertEquals(reservedAddressBits(address) & memoryAddressBits(address), 0);
  }));
});

Deno.test("hasReservedBits() finds every MMIO spte of 3.11 that a processor as KVM believes it to be meets", () => {
  const widths = fc.integer({ min: 36, max: 51 });
  fc.assert(fc.property(widths, fc.nat(0xffffff), fc.nat(0x7ffff), (maxPhyAddr, gfn, generation) => {
    const { lo, hi } = mmioLayout("linux_3_11_shadow", { maxPhyAddr }).encode(gfn, 6, generation);
    assertEquals(hasReservedBits(lo, hi, 1, 3, reservedAddressBits({ maxPhyAddr })), true);
  }));
});

const LEVELS: [lo: number, level: number, maxPageLevel: number, reserved: boolean][] = [
  [0x00000067, 4, 3, false],
  [0x000000e7, 4, 3, true],
  [0x000000e7, 3, 3, false],
  [0x000000e7, 3, 2, true],
  [0x3fffe0e7, 3, 3, true],
  [0x400010e7, 3, 3, false],
  [0x000000e7, 2, 2, false],
  [0x000020e7, 2, 3, true],
  [0x002010e7, 2, 3, false],
  [0x00002067, 2, 3, false],
  [0x7fffffe7, 1, 1, false],
];

for (const [lo, level, maxPageLevel, reserved] of LEVELS) {
  const what = `0x${lo.toString(16)} at level ${level}, pages to level ${maxPageLevel}`;
  Deno.test(`hasReservedBits() ${reserved ? "refuses" : "accepts"} ${what}`, () => {
    assertEquals(hasReservedBits(lo, 0, level, maxPageLevel, 0xfff00), reserved);
  });
}
