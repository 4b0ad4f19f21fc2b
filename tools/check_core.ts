/**
 * Type-checks the core packages without Deno's own types and without any import from outside, which is what lets them
 * run in Node and in browsers as they are.
 *
 * @module
 */

import { CORE_FOLDERS, packages, readConfig, ROOT, writeGenerated } from "./workspace.ts";

const CONFIG = ".cache/core.json";

/** Runs the check; returns its exit code. */
async function main(): Promise<number> {
  const core = packages().filter(({ folder }) => CORE_FOLDERS.includes(folder));
  const entryPoints = core.flatMap((member) => [...member.entryPoints]);
  if (entryPoints.length === 0) return 0;

  writeGenerated(
    CONFIG,
    JSON.stringify({
      lock: false,
      compilerOptions: { ...readConfig("deno.json").compilerOptions, lib: ["esnext", "dom"] },
      imports: Object.fromEntries(entryPoints.map(([specifier, path]) => [specifier, `../${path}`])),
    }),
  );
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "-q", `--config=${CONFIG}`, ...entryPoints.map(([, path]) => path)],
    cwd: ROOT,
  }).spawn().status;
  return code;
}

if (import.meta.main) Deno.exit(await main());
