import { exists, ROOT } from "../workspace.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { kindOf, type MutationResult } from "./check_mutation.ts";
import { mutate, type Mutation, StaleMutationError } from "./mutate.ts";
import { MUTATIONS } from "./mutations.ts";
import { formatReport } from "./report.ts";
import { parseOptions } from "./run.ts";
import { firstFailure } from "./sandbox.ts";

const SAMPLE: Mutation = { id: "sample", file: "a.ts", find: "a < b", replace: "$& <= b", what: "Late.", caughtBy: [] };

Deno.test("MUTATIONS has at least 20, each with a name of its own", () => {
  assert(MUTATIONS.length >= 20);
  assertEquals(new Set(MUTATIONS.map(({ id }) => id)).size, MUTATIONS.length);
});

Deno.test("every mutation fits the sources, changes one line, and is asked of tests that exist", () => {
  for (const mutation of MUTATIONS) {
    const { id, file, find, replace, what, caughtBy } = mutation;
    assertNotEquals(find, replace, id);
    assert(!find.includes("\n") && !replace.includes("\n"), id);
    mutate(mutation, Deno.readTextFileSync(`${ROOT}/${file}`));
    assert(/^[A-Za-z].*\.$/.test(what), `${id} is described by a sentence`);
    assert(caughtBy.length > 0, id);
    for (const test of caughtBy) assert(test.endsWith("_test.ts") && exists(test), `${id}: ${test}`);
  }
});

Deno.test("mutate() replaces the text as it stands, and throws unless it occurs exactly once", () => {
  assertEquals(mutate(SAMPLE, "if (a < b) c();"), "if ($& <= b) c();");
  assertThrows(() => mutate(SAMPLE, "if (a > b) c();"), StaleMutationError, "occurs 0 times in a.ts");
  assertThrows(() => mutate(SAMPLE, "a < b; a < b"), StaleMutationError, "'sample': its text occurs 2 times");
});

Deno.test("firstFailure() finds the first failed test, and none where a module does not load", () => {
  const failed =
    "one ... ok (1ms)\n\n ERRORS \n\ntwo => or three => ./packages/a/b_test.ts:12:6\nerror: AssertionError\n";
  assertEquals(firstFailure(failed), "two => or three");
  assertEquals(firstFailure(" ERRORS \n\n./packages/a/b_test.ts (uncaught error)\nerror: SyntaxError"), undefined);
});

Deno.test("kindOf() tells explorer, oracle and golden tests from all others", () => {
  assertEquals(kindOf("packages/checker/sound_test.ts"), "explorer");
  assertEquals(kindOf("packages/machine/differential_test.ts"), "oracle");
  assertEquals(kindOf("packages/fidelity/conform_recording_test.ts"), "golden");
  assertEquals(kindOf("packages/fidelity/overlap/moves_test.ts"), "unit");
  assertEquals(kindOf("packages/paging/pages/zap_test.ts"), "unit");
});

Deno.test("parseOptions() chooses mutations by name, and hands other flags on", () => {
  const [first, second] = MUTATIONS;
  const { mutations, json, flags } = parseOptions([
    "--import-map=x",
    "--only",
    second.id,
    `--only=${first.id}`,
    "--json",
  ]);
  assertEquals(mutations, [first, second]);
  assertEquals([json, flags], [true, ["--import-map=x"]]);
  assertEquals(parseOptions([]).mutations, MUTATIONS);
  assertThrows(() => parseOptions(["--only", "nonsense"]), RangeError, "Cannot find mutation 'nonsense'");
});

Deno.test("formatReport() shows what caught a mutation, and ends with how many were caught", () => {
  const caught = { kind: "oracle", file: "packages/machine/differential_test.ts", test: "t" } as const;
  const results: MutationResult[] = [
    { id: "a", file: "x.ts", what: "Wrong.", caught, seconds: 1.26 },
    { id: "b", file: "x.ts", what: "Very wrong.", seconds: 12 },
  ];
  assertEquals(formatReport(results).split("\n"), [
    "mutation  what is wrong  caught by  in                            seconds",
    "a         Wrong.         oracle     machine/differential_test.ts      1.3",
    "b         Very wrong.    SURVIVED                                    12.0",
    "",
    "Caught first by: oracle 1",
    "1 of 2 mutations caught",
  ]);
});
