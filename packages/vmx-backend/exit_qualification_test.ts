import { assertEquals } from "@std/assert";
import { isInvalidQualification, violationErrorCode, violationQualification } from "./exit_qualification.ts";

Deno.test("violationQualification() packs access, rights, and what was being translated", () => {
  assertEquals(violationQualification(1, 0, true), 0x181);
  assertEquals(violationQualification(2, 5, true), 0x1aa);
  assertEquals(violationQualification(4, 3, true), 0x19c);
  assertEquals(violationQualification(2, 0, false), 0x082);
});

Deno.test("violationErrorCode() is that of 3.11: WRITE from bit 1, PRESENT from bit 3 alone, never USER or FETCH", () => {
  const table = [
    [0x181, 0],
    [0x182, 2],
    [0x184, 0],
    [0x1aa, 3],
    [0x189, 1],
    // Writable and executable, but not readable: not PRESENT in 3.11.
    [0x1b1, 0],
    [0x082, 2],
  ];
  for (const [qualification, code] of table) assertEquals(violationErrorCode(qualification, "3.11"), code);
});

Deno.test("violationErrorCode() of 3.13 tells FETCH as well", () => {
  const table = [[0x181, 0], [0x182, 2], [0x184, 16], [0x1aa, 3], [0x1b1, 0]];
  for (const [qualification, code] of table) assertEquals(violationErrorCode(qualification, "3.13"), code);
});

Deno.test("violationErrorCode() of 4.10 tells USER and FETCH, and PRESENT by any right", () => {
  const table = [[0x181, 4], [0x182, 2], [0x184, 16], [0x1aa, 3], [0x1b1, 5], [0x082, 2]];
  for (const [qualification, code] of table) assertEquals(violationErrorCode(qualification, "4.10"), code);
});

Deno.test("violationErrorCode() of 4.19 and later tells whether the fault was in the final translation", () => {
  for (const rule of ["4.19", "6.1"] as const) {
    assertEquals(violationErrorCode(0x181, rule), 2 ** 32 + 4);
    assertEquals(violationErrorCode(0x082, rule), 2 ** 33 + 2);
  }
});

Deno.test("isInvalidQualification() refuses bits 8:7 = 10b alone", () => {
  assertEquals([0x001, 0x081, 0x101, 0x181].map(isInvalidQualification), [false, false, true, false]);
});
