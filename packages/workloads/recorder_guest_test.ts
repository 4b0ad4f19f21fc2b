import { assertEquals, assertThrows } from "@std/assert";
import { RECORDER_GUEST, RECORDER_USERSPACE, recorderValue } from "./recorder_guest.ts";

Deno.test("RECORDER_GUEST.code.ripOf() gives the addresses seen in recordings", () => {
  const { ripOf, nextRipOf } = RECORDER_GUEST.code!;
  const reads = ([1, 2, 4, 8] as const).map((size) => ripOf("read", size));
  const writes = ([1, 2, 4, 8] as const).map((size) => ripOf("write", size));
  assertEquals(reads, [0x1004, 0x1008, 0x100d, 0x1011]);
  assertEquals(writes, [0x1016, 0x101a, 0x101f, 0x1023]);
  assertEquals(ripOf("rmw", 4), 0x1028);
  assertEquals([nextRipOf("read", 8), nextRipOf("write", 4), nextRipOf("rmw", 4)], [0x1014, 0x1021, 0x102a]);
});

Deno.test("RECORDER_GUEST.code.ripOf() refuses an access that the guest has no code for", () => {
  const { ripOf } = RECORDER_GUEST.code!;
  assertThrows(
    () => ripOf("read", 3),
    RangeError,
    "Cannot read 3 bytes: the guest of the recordings has code for 1, 2",
  );
  assertThrows(() => ripOf("rmw", 8), RangeError, "has code for 4 bytes");
});

Deno.test("RECORDER_GUEST.paging maps addresses to themselves through two tables", () => {
  const { paging } = RECORDER_GUEST;
  assertEquals(paging.entryGpa(0xd0000000, 0), 0x2000);
  assertEquals(paging.entryGpa(0xd0000000, 1), 0x3000 + 8 * 3);
  assertEquals(paging.translate(0xd0000123), 0xd0000123);
});

Deno.test("RECORDER_USERSPACE answers a read as in a recording", () => {
  const data = new Uint8Array(8);
  RECORDER_USERSPACE.read(0xe0000ffc, data, 4); // s13: a read of 8 bytes that crosses a page, in two pieces
  RECORDER_USERSPACE.read(0xe0001000, data.subarray(4), 4);
  assertEquals(new DataView(data.buffer).getBigUint64(0, true), 0xa264f5a5af32fa09n);
});

Deno.test("RECORDER_USERSPACE follows its formula for 8 bytes and high addresses", () => {
  const data = new Uint8Array(8);
  for (const gpa of [0, 8, 0xfee00000, 0x7fffffe000, 2 ** 52 - 8]) {
    RECORDER_USERSPACE.read(gpa, data, 8);
    const expected = BigInt.asUintN(64, BigInt(gpa) * 0x9e3779b97f4a7c15n) ^ 0xa5a5a5a5a5a5a5a5n;
    assertEquals(new DataView(data.buffer).getBigUint64(0, true), expected);
  }
});

Deno.test("recorderValue() gives what recordings store", () => {
  assertEquals(recorderValue(56, 4), "0x195189c0"); // s8, as kvm_mmio prints it
  assertEquals(recorderValue(7, 4), "0x232a3138"); // s13
  assertEquals(recorderValue(10, 8), "0xa141e28323c4650"); // s13
});
