import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "./input_error.ts";
import { didYouMean, editDistance, named } from "./suggest.ts";

Deno.test("editDistance() counts insertions, deletions, replacements and swaps", () => {
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("compare", "compare"), 0);
  assertEquals(editDistance("comprae", "compare"), 1);
  assertEquals(editDistance("decde", "decode"), 1);
  assertEquals(editDistance("kitten", "sitting"), 3);
});

Deno.test("didYouMean() suggests a near word, or those that begin so or alike, or names all", () => {
  assertEquals(didYouMean("comprae", ["compare", "decode"]), "; did you mean 'compare'?");
  assertEquals(didYouMean("fullwalk", ["fullWalk", "none"]), "; did you mean 'fullWalk'?");
  assertEquals(
    didYouMean("linux_3", ["linux_3_10", "linux_3_11", "seed"]),
    "; did you mean 'linux_3_10' or 'linux_3_11'?",
  );
  assertEquals(
    didYouMean("linux_3_99_ept", ["linux_3_10", "linux_3_11", "linux_6_1", "seed"]),
    "; there are: linux_3_10, linux_3_11",
  );
  assertEquals(didYouMean("x", ["compare", "decode"]), "; expected one of: compare, decode");
});

Deno.test("named() takes only what is there itself", () => {
  assertEquals(named("thing", "a", { a: 1 }), 1);
  assertThrows(() => named("thing", "constructor", { a: 1 }), InputError, "Unknown thing 'constructor'");
});
