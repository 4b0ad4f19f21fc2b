/**
 * The contract that the project relies on, tested on whichever `@std/*` is in use: the real packages must pass as the
 * adapters do.
 */

import * as std from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { unicodeWidth } from "@std/cli/unicode-width";
import { ProgressBar } from "@std/cli/unstable-progress-bar";
import { Spinner } from "@std/cli/unstable-spinner";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";

const { assertEquals, assertThrows } = std;

/** Expects `refused` to throw an AssertionError, without leaning on the assertions under test. */
function refuses(refused: () => unknown): void {
  try {
    refused();
  } catch (error) {
    if (error instanceof std.AssertionError) return;
    throw error;
  }
  throw new Error(`Accepted: ${refused}`);
}

const EQUAL: [unknown, unknown][] = [
  [1, 1],
  [0, -0],
  [NaN, NaN],
  [7n, 7n],
  [[1, [2]], [1, [2]]],
  [{ a: 1, b: { c: 2 } }, { b: { c: 2 }, a: 1 }],
  [Object.create(null), {}],
  [new Map([["a", [1]]]), new Map([["a", [1]]])],
  [new Set([1, 2]), new Set([2, 1])],
  [new Uint32Array([1, 2]), new Uint32Array([1, 2])],
  [new Date(5), new Date(5)],
  [/a/g, /a/g],
];

const DIFFERENT: [unknown, unknown][] = [
  [1, 2],
  [1, "1"],
  [1, 1n],
  [null, undefined],
  [null, {}],
  [[1], [1, 2]],
  [{ a: undefined }, {}],
  [{ a: 1 }, { b: 1 }],
  [[], {}],
  [new Map([["a", 1]]), new Map([["a", 2]])],
  [new Set([1]), new Set([2])],
  [new Uint32Array([1]), new Uint32Array([2])],
  [new Uint32Array([1]), new Uint8Array([1])],
  [new Date(5), new Date(6)],
  [new (class A {})(), new (class B {})()],
];

Deno.test("assertEquals() and assertNotEquals() agree on what is deeply equal", () => {
  for (const [a, b] of EQUAL) {
    std.assertEquals(a, b);
    refuses(() => std.assertNotEquals(a, b));
  }
  for (const [a, b] of DIFFERENT) {
    std.assertNotEquals(a, b);
    refuses(() => std.assertEquals(a, b));
  }
});

Deno.test("assertEquals() ends on a circle", () => {
  const a: unknown[] = [1];
  a.push(a);
  const b: unknown[] = [1];
  b.push(b);
  std.assertEquals(a, b);
});

Deno.test("assertStrictEquals() tells 0 from -0 and object from copy", () => {
  const object = {};
  std.assertStrictEquals(object, object);
  std.assertStrictEquals(NaN, NaN);
  std.assertNotStrictEquals({}, {});
  refuses(() => std.assertStrictEquals({}, {}));
  refuses(() => std.assertStrictEquals(0, -0));
  refuses(() => std.assertNotStrictEquals(object, object));
});

Deno.test("the plain assertions accept what holds and refuse what does not", () => {
  std.assert(1);
  std.assertFalse(0);
  std.assertExists(0);
  std.assertInstanceOf(new RangeError(), Error);
  std.assertMatch("gfn 0x10", /0x\d+/);
  std.assertStringIncludes("gfn 0x10", "0x");
  std.assertArrayIncludes([{ a: 1 }, 2], [{ a: 1 }]);
  refuses(() => std.assert(0));
  refuses(() => std.assertFalse("x"));
  refuses(() => std.assertExists(null));
  refuses(() => std.assertExists(undefined));
  refuses(() => std.assertInstanceOf({}, Map));
  refuses(() => std.assertMatch("a", /b/));
  refuses(() => std.assertStringIncludes("a", "b"));
  refuses(() => std.assertArrayIncludes([1], [2]));
  refuses(() => std.fail("x"));
});

Deno.test("the comparisons hold at their borders", () => {
  std.assertGreater(2, 1);
  std.assertGreaterOrEqual(2, 2);
  std.assertLess(1n, 2n);
  std.assertLessOrEqual(2, 2);
  std.assertAlmostEquals(0.1 + 0.2, 0.3);
  std.assertAlmostEquals(10, 11, 1);
  refuses(() => std.assertGreater(2, 2));
  refuses(() => std.assertGreaterOrEqual(1, 2));
  refuses(() => std.assertLess(2, 2));
  refuses(() => std.assertLessOrEqual(3, 2));
  refuses(() => std.assertAlmostEquals(10, 11.5, 1));
  refuses(() => std.assertAlmostEquals(NaN, 1));
});

Deno.test("assertThrows() checks class and message, and returns the error", () => {
  const error = new RangeError("gfn out of range");
  const thrower = () => {
    throw error;
  };
  std.assert(assertThrows(thrower) === error);
  std.assert(assertThrows(thrower, RangeError, "out of") === error);
  std.assert(assertThrows(thrower, Error) === error);
  refuses(() => assertThrows(() => {}));
  refuses(() => assertThrows(() => {}, RangeError));
  refuses(() => assertThrows(thrower, TypeError));
  refuses(() => assertThrows(thrower, RangeError, "another text"));
  refuses(() =>
    assertThrows(() => {
      throw "text";
    }, Error)
  );
});

Deno.test("assertRejects() checks class and message, and resolves to the error", async () => {
  const error = new RangeError("gfn out of range");
  const settle = async (promise: Promise<unknown>): Promise<unknown> => {
    try {
      return await promise;
    } catch (reason) {
      return reason;
    }
  };
  std.assert(await std.assertRejects(() => Promise.reject(error), RangeError, "out of") === error);
  for (
    const refused of [
      std.assertRejects(() => Promise.resolve()),
      std.assertRejects(() => Promise.reject(error), TypeError),
      std.assertRejects(() => Promise.reject(error), RangeError, "another text"),
      std.assertRejects(() => {
        throw error;
      }),
    ]
  ) std.assertInstanceOf(await settle(refused), std.AssertionError);
});

Deno.test("parseArgs() sorts flags, values and other arguments", () => {
  const args = parseArgs(["compare", "--json", "--era", "3.11", "--seed=7", "-v", "x", "--tag=a", "--tag", "b"], {
    boolean: ["json", "quiet", "verbose"],
    string: ["era", "tag"],
    collect: ["tag"],
    alias: { verbose: "v" },
    default: { seed: 1, limit: 9 },
  });
  const { json, era, tag }: { json: boolean; era?: string; tag: string[] } = args;
  assertEquals([json, era, tag], [true, "3.11", ["a", "b"]]);
  assertEquals(args.seed, 7);
  assertEquals(args.limit, 9);
  assertEquals([args.quiet, args.verbose, args.v], [false, true, true]);
  assertEquals(args._, ["compare", "x"]);
});

Deno.test("parseArgs() has std's rules for the odd cases", () => {
  const all = { boolean: ["b"], string: ["s"], collect: ["c"], negatable: ["b"] } as const;
  const cases: [string[], Record<string, unknown>][] = [
    [["-b", "1"], { b: true, _: [1] }],
    [["--b", "false"], { b: false }],
    [["--b=false"], { b: false }],
    [["--no-b"], { b: false }],
    [["--s"], { s: "" }],
    [["--s", "--b"], { s: "", b: true }],
    [["--s", "007"], { s: "007" }],
    [["--n", "0x10"], { n: 16 }],
    [["-n5"], { n: 5 }],
    [["-xyz", "2"], { x: true, y: true, z: 2 }],
    [["--c", "1", "--c=2"], { c: [1, 2] }],
    [["a", "--", "--b"], { _: ["a", "--b"] }],
    [["-"], { _: ["-"] }],
  ];
  for (const [given, expected] of cases) {
    assertEquals({ ...parseArgs(given, all as never) }, { b: false, _: [], ...expected }, given.join(" "));
  }
});

Deno.test("parseArgs() drops what unknown() refuses", () => {
  const seen: string[] = [];
  const args = parseArgs(["--json", "--typo", "3", "rest"], {
    boolean: ["json"],
    unknown: (arg) => {
      seen.push(arg);
      return false;
    },
  });
  assertEquals(seen, ["--typo", "rest"]);
  assertEquals({ ...args }, { _: [], json: true });
});

Deno.test("unicodeWidth() counts columns", () => {
  assertEquals(["", "abc", "µs", "頁", "e\u0301"].map(unicodeWidth), [0, 3, 2, 2, 1]);
});

Deno.test("ProgressBar draws with its formatter and ends its line", async () => {
  let text = "";
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => void (text += new TextDecoder().decode(chunk)),
  });
  const bar = new ProgressBar({
    max: 4,
    barLength: 4,
    writable,
    formatter: (line) => `${line.value} ${line.progressBar}`,
  });
  bar.value = 2;
  await bar.stop();
  std.assertStringIncludes(text, "0 ----");
  std.assertStringIncludes(text, "2 ##--");
  std.assert(text.endsWith("\n"));
});

Deno.test("Spinner clears its line when it stops", () => {
  let text = "";
  using _write = stub(Deno.stderr, "writeSync", (chunk: Uint8Array) => {
    text += new TextDecoder().decode(chunk);
    return chunk.length;
  });
  const spinner = new Spinner({ message: "sweeping", output: Deno.stderr });
  spinner.start();
  spinner.stop();
  std.assertStringIncludes(text, "sweeping");
  std.assert(text.endsWith("\r\u001b[K"));
});

Deno.test("spy() records calls, stub() replaces a method until it is restored", () => {
  const add = spy((a: number, b: number) => a + b);
  assertEquals(add(1, 2), 3);
  assertSpyCalls(add, 1);
  assertEquals(add.calls[0]!.args, [1, 2]);
  assertEquals(add.calls[0]!.returned, 3);

  const bus = { read: (gpa: number) => gpa };
  {
    using read = stub(bus, "read", () => 42);
    assertEquals(bus.read(1), 42);
    assertSpyCalls(read, 1);
  }
  assertEquals(bus.read(1), 1);
  refuses(() => assertSpyCalls(add, 2));
});
