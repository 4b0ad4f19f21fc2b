import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PROFILES } from "@mmu-lab/machine";
import { BUGS } from "./bugs.ts";
import { cannotShow, findBugIn } from "./find_bug_in.ts";

/** Those that a released kernel without B01 can be told to have, and how long each was there. */
const LOOKED_FOR = ["B03", "B04", "B05", "B06", "B07", "B20", "B23"] as const;

/** What is found by exploration in each, as history has it: docs/check.md. */
const FOUND: Readonly<Record<string, readonly string[]>> = {
  linux_3_17_ept: ["B03", "B04", "B23"],
  linux_3_17_npt: ["B03", "B04", "B23"],
  linux_4_4_ept: ["B03", "B04", "B20"],
  linux_4_10_ept: ["B03", "B04", "B20"],
  linux_4_10_npt: ["B03", "B04", "B20"],
  linux_4_11_ept: ["B03", "B04", "B05", "B20"],
  linux_4_11_npt: ["B03", "B04", "B05", "B20"],
  linux_4_19_ept_0: ["B03", "B04", "B05", "B20"],
  linux_4_19_npt_0: ["B03", "B04", "B05", "B20"],
  linux_4_19_ept: ["B04", "B20"],
  linux_4_19_npt: ["B04", "B20"],
  linux_5_1_ept: ["B04", "B06", "B07", "B20"],
  linux_5_1_npt: ["B04", "B06", "B07", "B20"],
  linux_5_11_ept: ["B04", "B20"],
  linux_5_11_npt: ["B04", "B20"],
  linux_6_1_npt_tdp_187: ["B04", "B20"],
  linux_6_1_npt_tdp: ["B04"],
  linux_6_1_ept_tdp: ["B04"],
  linux_6_12_npt_tdp_slotzap: ["B04"],
  linux_6_1_npt_legacy_187: ["B04", "B20"],
  linux_6_1_npt_legacy: ["B04"],
};

Deno.test("findBugIn() finds B20 where guest tables are shadowed, which are walked in system management mode too", () => {
  const found = (name: string) => findBugIn(BUGS.B20, PROFILES[name]).found;
  assertEquals(found("linux_6_1_npt_shadow_187"), true);
  assertEquals(found("linux_4_10_npt_shadow"), true);
  assertEquals(found("linux_6_1_npt_shadow"), false);
});

for (const [name, bugs] of Object.entries(FOUND)) {
  Deno.test(`findBugIn() finds ${bugs.join(", ")} in ${name}, and no other of its kind`, () => {
    const found = LOOKED_FOR.filter((id) => {
      if (cannotShow(BUGS[id], PROFILES[name]) !== undefined) return false;
      const { found, report } = findBugIn(BUGS[id], PROFILES[name]);
      assertEquals(report.violation !== undefined, found, `${id}: ${report.violation?.message}`);
      return found;
    });
    assertEquals(found, [...bugs]);
  });
}

const WITH_B01 = ["3_11_ept", "3_11_ept_noad", "3_11_npt", "3_11_shadow", "3_11_npt_shadow", "3_13_ept", "3_13_npt"];
for (const name of WITH_B01.map((kernel) => `linux_${kernel}`)) {
  Deno.test(`findBugIn() finds B01 and B02 in ${name}`, () => {
    for (const id of ["B01", "B02"]) assertEquals(findBugIn(BUGS[id], PROFILES[name]).found, true, id);
  });
}

Deno.test("findBugIn() finds in 4.10 of B19 that memory is emulated, and nothing in 5.13", () => {
  const { found, report } = findBugIn(BUGS.B19, PROFILES.linux_4_10_ept_nested);
  assertEquals(found, true);
  assertStringIncludes(report.violation!.message, "is still emulated, though it is to memory");
  const later = findBugIn(BUGS.B19, PROFILES.linux_5_13_ept_nested);
  assertEquals([later.found, later.report.exhaustive], [false, true]);
});

Deno.test("findBugIn() finds B27 in the walker of 3.11", () => {
  assertEquals(findBugIn(BUGS.B27, PROFILES.linux_3_11_shadow).found, true);
});

Deno.test("cannotShow() says what a kernel lacks", () => {
  assertEquals(cannotShow(BUGS.B20, PROFILES.linux_3_11_ept), "has one address space");
  assertEquals(cannotShow(BUGS.B25, PROFILES.linux_3_11_ept), "shadows no guest tables");
  assertEquals(cannotShow(BUGS.B19, PROFILES.linux_4_10_ept), "lets no guest run guests");
  assertEquals(cannotShow(BUGS.B05, PROFILES.linux_3_10_ept), "stores no generation");
  assertEquals(cannotShow(BUGS.B01, PROFILES.linux_3_10_ept), undefined);
  const error = assertThrows(() => findBugIn(BUGS.B20, PROFILES.linux_3_11_ept), RangeError);
  assertStringIncludes(error.message, "Cannot look for B20 in linux_3_11_ept: it has one address space");
});
