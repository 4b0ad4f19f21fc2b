import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { bitNames, choice, hex, nameTable } from "./symbols.ts";

Deno.test("bitNames() prints names, then what has none", () => {
  const pferr = bitNames(["P", "W", "U", "RSVD", "F"]);
  assertEquals(pferr.print(0, "3.11"), "");
  assertEquals(pferr.print(0b1011, "3.11"), "P|W|RSVD");
  assertEquals(pferr.print(0x100000007, "6.12"), "P|W|U|0x100000000");
  fc.assert(fc.property(fc.maxSafeNat(), (bits) => pferr.parse(pferr.print(bits, "6.1"), "6.1") === bits));
});

Deno.test("choice() prints one of two texts", () => {
  const direct = choice("", " direct");
  assertEquals([direct.print(0, "3.11"), direct.print(1, "3.11")], ["", " direct"]);
  assertEquals([direct.parse("", "3.11"), direct.parse(" direct", "3.11")], [0, 1]);
});

Deno.test("nameTable() falls back to hexadecimal, as the kernel does", () => {
  const table = nameTable({ 1: "read" });
  assertEquals([table.name(1, "3.11"), table.name(18, "3.11")], ["read", "0x12"]);
  assertEquals([table.code("read", "3.11"), table.code("0x12", "3.11"), table.code("?", "3.11")], [1, 18, -1]);
  assertEquals(hex(-1), "0xffffffff");
});
