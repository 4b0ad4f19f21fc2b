import { assert, assertEquals, assertFalse, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import { importMap, isReachable, PROBE_TIMEOUT_MS } from "./std.ts";
import { readConfig, ROOT } from "./workspace.ts";

interface Printed {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the tool as a task does. */
async function std(env: Record<string, string>, ...args: string[]): Promise<Printed> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=std", "tools/std.ts", ...args],
    cwd: ROOT,
    env,
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Serves `respond` on a free port while `body` runs. */
async function serving(respond: () => Response | Promise<Response>, body: (url: string) => Promise<void>) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, respond);
  try {
    await body(`http://127.0.0.1:${server.addr.port}/`);
  } finally {
    await server.shutdown();
  }
}

Deno.test("std.ts prints nothing but a line for people when JSR is chosen", async () => {
  const { code, stdout, stderr } = await std({ MMU_LAB_STD: "jsr" });
  assertEquals([code, stdout, stderr], [0, "", "@std from JSR: as MMU_LAB_STD says\n"]);
});

Deno.test("std.ts prints the flag and writes the map when the adapter is chosen", async () => {
  const { code, stdout, stderr } = await std({ MMU_LAB_STD: "adapter" });
  assertEquals([code, stdout], [0, "--import-map=.cache/import_map.json\n"]);
  assertStringIncludes(stderr, "@std from tools/std_adapter");
  assertEquals(readConfig(".cache/import_map.json").imports, importMap(readConfig("deno.json").imports ?? {}).imports);
});

Deno.test("std.ts prints a configuration for publishing when asked to", async () => {
  const { code, stdout } = await std({ MMU_LAB_STD: "adapter" }, "--linked");
  assertEquals([code, stdout], [0, "--config=deno.linked.json\n"]);
});

Deno.test("std.ts refuses a source that there is not", async () => {
  const { code, stderr } = await std({ MMU_LAB_STD: "moon" });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "expected 'jsr' or 'adapter'");
});

Deno.test("importMap() keeps npm entries and maps each subpath of an adapter", () => {
  const { imports } = importMap({ "@std/cli": "jsr:@std/cli@^1", "fast-check": "npm:fast-check@^4" });
  assertEquals(imports["fast-check"], "npm:fast-check@^4");
  assertEquals(imports["@std/cli/parse-args"], "../tools/std_adapter/cli/parse_args.ts");
  assertFalse("@std/cli" in imports);
});

Deno.test("importMap() names the package that has no adapter", () => {
  assertThrows(() => importMap({ "@std/moon": "jsr:@std/moon@^1" }), RangeError, "@std/moon");
});

Deno.test("isReachable() believes a registry", async () => {
  await serving(() => Response.json({ name: "assert", versions: {} }), async (url) => assert(await isReachable(url)));
});

Deno.test("isReachable() does not believe a login page or an error", async () => {
  await serving(
    () => new Response("<html>Sign in</html>", { headers: { "content-type": "text/html" } }),
    async (url) => assertFalse(await isReachable(url)),
  );
  await serving(
    () => Response.json({ versions: {} }, { status: 503 }),
    async (url) => assertFalse(await isReachable(url)),
  );
});

Deno.test("isReachable() gives up on a registry that is silent, and on one that is not there", async () => {
  const silence = Promise.withResolvers<Response>();
  await serving(() => silence.promise, async (url) => {
    assertFalse(await isReachable(url, 50));
    silence.resolve(new Response());
  });
  assertFalse(await isReachable("http://127.0.0.1:9/"));
  assertLess(PROBE_TIMEOUT_MS, 3000);
});
