import { assertEquals, assertThrows } from "@std/assert";
import { parseMarker } from "./markers.ts";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

Deno.test("parseMarker() reads an operation", () => {
  const marker = parseMarker("seq=12 op=memslot_create as=0 id=5 gpa=0xe0000000 size=0x1000 flags=0");
  assertEquals(marker?.seq, 12);
  assertEquals(marker?.op, "memslot_create");
  assertEquals(marker?.words, { as: "0", id: "5", gpa: "0xe0000000", size: "0x1000", flags: "0" });
  assertEquals(marker?.num("gpa"), 0xe0000000);
});

Deno.test("parseMarker() reads an outcome, with a negative errno and 64 bits", () => {
  const marker = parseMarker("seq=7 op=done ret=-17 kind=mmio value=0xe7a8bce1475cae5d");
  assertEquals(marker?.num("ret"), -17);
  assertEquals(marker?.words["value"], "0xe7a8bce1475cae5d");
  assertThrows(() => marker?.num("value"), RangeError, "Cannot read 'value' of marker 7 (done) as a number");
  assertThrows(() => marker?.num("kind"), RangeError, "got 'mmio'");
  assertThrows(() => marker?.num("gpa"), RangeError, "Cannot read 'gpa'");
});

Deno.test("parseMarker() leaves foreign text alone", () => {
  assertEquals(parseMarker("hello"), undefined);
});

Deno.test("parseMarker() rejects a malformed marker", () => {
  for (const text of ["seq=1 op=read gpa", "seq=x op=read", "seq=1"]) {
    assertThrows(
      () => parseMarker(text, { line: 3 }),
      TraceSyntaxError,
      "Cannot parse trace line 3: expected a marker",
    );
  }
});

Deno.test("parseMarker() reads the address of any page of 64 bits, as a refused call may have it", () => {
  const marker = parseMarker("seq=7 op=memslot_create as=0 id=5 gpa=0xfffffffffffff000 size=0xfffffffffffff001");
  assertEquals(marker?.num("gpa"), 2 ** 64 - 4096);
  assertThrows(() => marker?.num("size"), RangeError, "Cannot read 'size'");
});
