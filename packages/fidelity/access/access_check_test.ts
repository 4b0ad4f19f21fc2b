import { WALK_RULES_6_1, WALK_RULES_ARCHITECTURE } from "@mmu-lab/paging";
import { assertEquals } from "@std/assert";
import { AccessCheck } from "./access_check.ts";
import type { AccessCase } from "./access_cases.ts";

const CASE: AccessCase = {
  mode: "32-bit",
  wp: true,
  nxe: true,
  pse: false,
  smep: false,
  smap: false,
  ac: false,
  pke: false,
  pkru: 0,
  kind: "fetch",
  user: true,
  pde: [1, 0],
  pte: [1, 0],
};

Deno.test("AccessCheck.check() finds nothing where the walker is as the architecture", () => {
  const check = new AccessCheck(WALK_RULES_ARCHITECTURE);
  assertEquals(check.check(CASE), undefined);
  assertEquals(
    check.check({ ...CASE, mode: "5-level", kind: "write", user: false, pde: [3, 0], pte: [3, 0] }),
    undefined,
  );
});

Deno.test("AccessCheck.check() says what differs", () => {
  assertEquals(new AccessCheck(WALK_RULES_6_1).check(CASE), "expected #PF error 0x5, got #PF error 0x15");
});
