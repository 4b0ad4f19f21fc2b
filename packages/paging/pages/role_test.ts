import { assert, assertEquals } from "@std/assert";
import { accessOf, directRole, invalidated, isDirect, isInvalid, levelOf } from "./role.ts";

Deno.test("directRole() makes the role of a direct page that allows everything", () => {
  for (let level = 1; level <= 5; level++) {
    const role = directRole(level);
    assertEquals([levelOf(role), accessOf(role), isDirect(role), isInvalid(role)], [level, 7, true, false]);
  }
});

Deno.test("invalidated() changes the invalid bit alone", () => {
  const role = directRole(3);
  const invalid = invalidated(role);
  assert(invalid !== role && isInvalid(invalid));
  assertEquals([levelOf(invalid), accessOf(invalid), isDirect(invalid)], [3, 7, true]);
  assertEquals(invalidated(invalid), invalid);
});
