import { assertEquals } from "@std/assert";
import type { Era } from "./era.ts";
import { compileFormat, type EventFormat } from "./format.ts";
import { num, sptep } from "./field.ts";

const parts = new Map(
  [num("n"), num("m"), sptep("p")].flatMap((field) => field.parts).map((part) => [part.name, part]),
);
const compile = (source: string, era: Era = "3.11"): EventFormat => compileFormat(source, parts, new Set(["p"]), era);

Deno.test("compileFormat() prints numbers as printf does", () => {
  assertEquals(compile("%x{n} %#x{n} %04x{n} %u{n} %d{m}").print({ n: 0, m: -5 }), "0 0 0000 0 -5");
  assertEquals(compile("%x{n} %#lx{n} %016llx{n} %u{n}").print({ n: 255 }), "ff 0xff 00000000000000ff 255");
  assertEquals(compile("%x{n} %lx{n} %u{n}").print({ n: -1 }), "ffffffff ffffffffffffffff 4294967295");
  assertEquals(compile("%llx{n}").print({ n: "0xfff00000e0000b5e" }), "fff00000e0000b5e");
});

Deno.test("compileFormat() prints the place of an spte as pointer and as physical address", () => {
  const p = 0x39b76 * 512 + 3;
  assertEquals(compile("%p{p}").print({ p }), "ffff880039b76018");
  assertEquals(compile("%llx{p}").print({ p }), "39b76018");
  assertEquals(compile("%p{p}").parse("ffff880039b76018"), { p });
  assertEquals(compile("%p{p}").parse("ffff8d1bc9bf9020"), { p: 0x51bc9bf9020 / 8 });
});

Deno.test("compileFormat() knows NULL and hashed pointers", () => {
  assertEquals(compile("at %p{p}").print({ p: -1 }), "at           (null)");
  assertEquals(compile("at %p{p}").parse("at           (null)"), { p: -1 });
  assertEquals(compile("at %p{p}", "6.1").print({ p: -1 }), "at 0000000000000000");
  assertEquals(compile("at %p{p}", "6.1").parse("at 0000000000000000"), { p: -1 });
  assertEquals(compile("at %p{p}", "6.1").parse("at 00000000deadbeef"), { p: "0xdeadbeef" });
});

Deno.test("EventFormat.parse() gives undefined for the text of another format", () => {
  const format = compile("gfn %x{n} (%x{n})");
  assertEquals(format.parse("gfn ff (ff)"), { n: 255 });
  assertEquals(format.parse("gfn ff (fe)"), undefined);
  assertEquals(format.parse("gfn ff (ff) more"), undefined);
  assertEquals(format.parse("GFN ff (ff)"), undefined);
});

Deno.test("EventFormat.parse() reads 53 bits as a number and more as hexadecimal", () => {
  assertEquals(compile("%llx{n}").parse("1fffffffffffff"), { n: Number.MAX_SAFE_INTEGER });
  assertEquals(compile("%llx{n}").parse("0020000000000000"), { n: "0x20000000000000" });
  assertEquals(compile("%llx{n}").parse("001fffffffffffff"), { n: Number.MAX_SAFE_INTEGER });
});
