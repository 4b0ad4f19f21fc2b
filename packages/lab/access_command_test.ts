import { assertEquals, assertStringIncludes } from "@std/assert";
import { lab } from "./testdata/memory_io.ts";

Deno.test("lab access agrees with the architecture's rules in a sample of 200,000 cases", async () => {
  assertEquals(
    await lab("access --sample 200000 --seed 1").then(({ code, output, errors }) => [code, output, errors]),
    [
      0,
      "200000 cases, 0 failures\n",
      "",
    ],
  );
});

Deno.test("lab access shows failures, and the same ones for the same seed", async () => {
  const first = await lab("access --sample 40000 --seed 7 --rules linux_6_1");
  assertEquals(first.code, 1);
  // The kernel calls a fetch by its name wherever EFER.NX is set, also where 32-bit tables know no NX.
  assertStringIncludes(first.output, "32-bit ");
  assertStringIncludes(first.output, "expected #PF error 0x5, got #PF error 0x15\n");
  assertEquals((await lab("access --sample 40000 --seed 7 --rules linux_6_1")).output, first.output);
});

for (
  const [args, message] of [
    ["access --sample 0", "Cannot use '--sample 0': expected a whole number from 1 to"],
    ["access --sample many", "Cannot use '--sample many'"],
    ["access --seed 1", "Option '--seed' chooses a sample: add --sample N"],
    ["access now", "Unexpected argument 'now'"],
    ["access --rules none --sample 1", "Unknown rules 'none'"],
  ] as const
) {
  Deno.test(`lab ${args} is bad input`, async () => {
    const { code, output, errors } = await lab(args);
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
  });
}
