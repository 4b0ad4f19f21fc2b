import { assert, assertEquals } from "@std/assert";
import { parseOutcome, plan } from "./test.ts";

Deno.test("parseOutcome() reads Deno's last line, with or without colours, steps and ignored tests", () => {
  assertEquals(parseOutcome("ok | 3 passed (2 steps) | 0 failed | 1 ignored (87ms)\n"), { passed: 3, failed: 0 });
  assertEquals(
    parseOutcome("ok | 9 passed | 9 failed\n\u001b[31mFAILED\u001b[0m | 2 passed | 1 failed \u001b[90m(1s)\u001b[0m\n"),
    { passed: 2, failed: 1 },
  );
});

Deno.test("parseOutcome() finds nothing where no test ran", () => {
  assertEquals(parseOutcome("error: Type checking failed.\n"), undefined);
});

Deno.test("plan() gives each chosen path to the run that it belongs to, and all flags to each", () => {
  const tools = plan(["--filter", "spte", "./tools/test_test.ts"]);
  assertEquals(tools.length, 1);
  assertEquals(tools[0]!.slice(-3), ["--filter", "spte", "./tools/test_test.ts"]);
  assert(plan(["packages", "tools"]).every((command) => command.includes("--parallel")));
  assertEquals(plan(["packages", "tools"]).length, 2);
});

Deno.test("plan() tests everything when no path is chosen", () => {
  const paths = plan([]).flat();
  assert(paths.includes("packages") && paths.includes("tools"));
});
