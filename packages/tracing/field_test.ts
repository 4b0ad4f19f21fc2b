import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { address, bytes, type Field, packBytes, u64 } from "./field.ts";
import type { Value } from "./symbols.ts";

function pack(field: Field, value: Value): number[] {
  const slots = new Array<number>(field.slots).fill(0);
  field.parts[0]?.put(value, slots, 0, "3.11");
  return slots;
}

const unpack = (field: Field, slots: number[]): Value | undefined => field.parts[0]?.get(slots, 0, "3.11");

Deno.test("u64() gives a number below 2^53 and hexadecimal from there on", () => {
  assertEquals(unpack(u64("spte"), [0xffffffff, 0x1fffff]), Number.MAX_SAFE_INTEGER);
  assertEquals(unpack(u64("spte"), [0, 0x200000]), "0x20000000000000");
});

Deno.test("u64() takes signed lanes", () => {
  assertEquals(unpack(u64("spte"), [0xe0000b5e | 0, 0xfff00000 | 0]), "0xfff00000e0000b5e");
});

Deno.test("u64() keeps every pair of lanes", () => {
  const lane = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(fc.property(lane, lane, (lo, hi) => {
    const field = u64("spte");
    const value = unpack(field, [lo, hi]) ?? 0;
    assertEquals(BigInt(value), BigInt(hi) << 32n | BigInt(lo));
    assertEquals(pack(field, value), [lo, hi]);
  }));
});

Deno.test("address() is sign-extended", () => {
  assertEquals(unpack(address("rip"), [-0x7f000000]), "0xffffffff81000000");
  assertEquals(pack(address("rip"), "0xffffffff81000000"), [-0x7f000000]);
  assertEquals(unpack(address("rip"), [0x1000]), 0x1000);
});

Deno.test("packBytes() packs 15 bytes and rejects 16", () => {
  assertEquals(packBytes([0x8b, 0x03]), [0x00038b02, 0, 0, 0]);
  assertEquals(unpack(bytes("insn"), packBytes([0x8b, 0x03])), "8b 03");
  assertEquals(unpack(bytes("insn"), packBytes([])), "");
  assertThrows(() => packBytes(new Uint8Array(16)), RangeError, "Cannot pack 16 bytes");
});
