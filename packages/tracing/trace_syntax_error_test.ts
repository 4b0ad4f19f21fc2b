import { assertEquals } from "@std/assert";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

Deno.test("TraceSyntaxError carries file, line and expectation", () => {
  const error = new TraceSyntaxError({ file: "a.txt", line: 2 }, "'gfn'", "gpa");
  assertEquals(error.message, "Cannot parse trace line 2 of a.txt: expected 'gfn', got 'gpa'");
  assertEquals([error.name, error.file, error.line, error.expected], ["TraceSyntaxError", "a.txt", 2, "'gfn'"]);
  assertEquals(error instanceof SyntaxError, true);
});

Deno.test("TraceSyntaxError does without file or line", () => {
  assertEquals(new TraceSyntaxError({ line: 0 }, "x", "y").message, "Cannot parse trace: expected x, got 'y'");
  assertEquals(
    new TraceSyntaxError({ line: 0, file: "a" }, "x", "y").message,
    "Cannot parse trace a: expected x, got 'y'",
  );
});
