import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PAGE, withTables } from "./eras_tables.ts";
import { ROOT } from "./workspace.ts";

const page = Deno.readTextFileSync(`${ROOT}/${PAGE}`);

Deno.test("docs/eras.md has the tables of the code: deno task docs:eras writes them", () => {
  assertEquals(withTables(page), page);
});

Deno.test("withTables() writes what is between markers, and nothing else", () => {
  const old = page.replace(/(<!-- generations: generated -->)[^]*?(<!-- generations: end -->)/, "$1 old $2");
  assert(old !== page);
  assertEquals(withTables(old), page);
});

Deno.test("withTables() finds where a layout keeps the number by encoding it, bug B07 included", () => {
  assertStringIncludes(page, "[11:3] = g[8:0], [61:52] = g[18:9]");
  assertStringIncludes(page, "[11:3] = g[8:0], [61:52] = g[9:0]");
});

Deno.test("withTables() misses a marker", () => {
  assertThrows(() => withTables(page.replace("<!-- layouts: end -->", "")), Error, "layouts: end");
});
