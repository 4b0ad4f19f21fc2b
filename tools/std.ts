/**
 * Chooses where `@std/*` comes from: from JSR where it can be reached, and otherwise from the small adapters in
 * `std_adapter/`. Prints the command line flag that makes Deno use them (nothing for JSR), so that a task can say
 *
 * ```sh
 * deno test $(deno run -P=std tools/std.ts)
 * ```
 *
 * With `--linked` it prints a flag for `deno publish`, which takes no import map: a configuration that is the root's own
 * with the adapters linked in as if they were checkouts of the packages.
 *
 * `MMU_LAB_STD=jsr` or `MMU_LAB_STD=adapter` decides without looking. `JSR_URL`, Deno's own variable, names a mirror.
 *
 * @module
 */

import { type DenoConfig, exists, packages, readConfig, ROOT, writeGenerated } from "./workspace.ts";

/** Where `@std/*` comes from. */
export type StdSource = "jsr" | "adapter";

/** Longest time to wait for JSR, in milliseconds: a test run that starts two seconds late is still a test run. */
export const PROBE_TIMEOUT_MS = 1500;

/** How long a decision holds, in milliseconds: many tasks in a row ask once. */
export const DECISION_LIFETIME_MS = 5 * 60_000;

const IMPORT_MAP = ".cache/import_map.json";
const LINKED_CONFIG = "deno.linked.json";
const DECISION = ".cache/std_decision.json";
const ADAPTER = "tools/std_adapter";

/**
 * Tells whether a JSR registry answers. Asks for a document and reads it, because a network that answers every request
 * with its own login page would pass a look at the status alone.
 *
 * @param registry Address of the registry.
 * @param timeoutMs Longest time to wait, in milliseconds.
 * @returns Whether it answers as a registry does, within the time.
 */
export async function isReachable(registry: string, timeoutMs: number = PROBE_TIMEOUT_MS): Promise<boolean> {
  try {
    const response = await fetch(new URL("@std/assert/meta.json", registry), {
      signal: AbortSignal.timeout(timeoutMs),
    });
    const meta = await response.json();
    return response.ok && typeof meta.versions === "object";
  } catch {
    return false;
  }
}

/** One adapter: the package it stands for, and its files. */
interface Adapter {
  specifier: string;
  folder: string;
  exports: Record<string, string>;
}

/** Lists the adapters that stand for the `jsr:@std/*` entries of `imports`. */
function adapters(imports: Record<string, string>): Adapter[] {
  return Object.entries(imports)
    .filter(([, target]) => target.startsWith("jsr:@std/"))
    .map(([specifier]) => {
      const folder = `${ADAPTER}/${specifier.replace("@std/", "")}`;
      if (!exists(`${folder}/deno.json`)) {
        throw new RangeError(`Cannot replace '${specifier}': ${folder} has no adapter`);
      }
      const { exports = {} } = readConfig(`${folder}/deno.json`);
      return { specifier, folder, exports: typeof exports === "string" ? { ".": exports } : exports };
    });
}

/**
 * Derives the import map that puts the adapters in the place of `@std/*` and keeps every other import as it is.
 *
 * @param imports The root configuration's imports.
 * @returns The import map; its paths are relative to the folder `.cache`.
 */
export function importMap(imports: Record<string, string>): { imports: Record<string, string> } {
  const map: Record<string, string> = {};
  for (const [specifier, target] of Object.entries(imports)) {
    if (!target.startsWith("jsr:@std/")) map[specifier] = target;
  }
  for (const { specifier, folder, exports } of adapters(imports)) {
    for (const [key, file] of Object.entries(exports)) {
      map[specifier + key.slice(1)] = `../${folder}/${file.replace(/^\.\//, "")}`;
    }
  }
  return { imports: map };
}

/**
 * The root configuration with the adapters linked in. It has no lock file, because a link must not get into that one, and
 * leaves out the packages that have no entry point yet, because publishing refuses to go on without.
 */
function linkedConfig(config: DenoConfig): Record<string, unknown> {
  return {
    ...config,
    lock: false,
    workspace: packages().filter(({ entryPoints }) => entryPoints.size > 0).map(({ folder }) => `./packages/${folder}`),
    links: adapters(config.imports ?? {}).map(({ folder }) => `./${folder}`),
  };
}

/** Reads an earlier decision about the same registry if it is recent enough. */
function recall(registry: string): StdSource | undefined {
  if (!exists(DECISION)) return undefined;
  try {
    const { source, url, at } = JSON.parse(Deno.readTextFileSync(`${ROOT}/${DECISION}`));
    const age = Date.now() - at;
    if (url === registry && age >= 0 && age < DECISION_LIFETIME_MS) return source === "jsr" ? "jsr" : "adapter";
  } catch {
    // A file that cannot be read decides nothing.
  }
  return undefined;
}

/** Decides, and says why. */
async function decide(): Promise<{ source: StdSource; reason: string }> {
  const forced = Deno.env.get("MMU_LAB_STD");
  if (forced === "jsr" || forced === "adapter") return { source: forced, reason: "as MMU_LAB_STD says" };
  if (forced) throw new RangeError(`Cannot use MMU_LAB_STD='${forced}': expected 'jsr' or 'adapter'`);

  const registry = Deno.env.get("JSR_URL") ?? "https://jsr.io/";
  const known = recall(registry);
  const source = known ?? (await isReachable(registry) ? "jsr" : "adapter");
  if (known === undefined) writeGenerated(DECISION, JSON.stringify({ source, url: registry, at: Date.now() }) + "\n");
  return { source, reason: source === "jsr" ? "JSR is in reach" : "JSR is out of reach" };
}

/** Decides, writes what the decision needs, prints the flag on stdout and one line for people on stderr. */
async function main(linked: boolean): Promise<void> {
  const { source, reason } = await decide();
  console.error(`@std from ${source === "jsr" ? "JSR" : "tools/std_adapter"}: ${reason}`);
  if (source === "jsr") return;

  const config = readConfig("deno.json");
  const [path, content] = linked
    ? [LINKED_CONFIG, linkedConfig(config)]
    : [IMPORT_MAP, importMap(config.imports ?? {})];
  writeGenerated(path, JSON.stringify(content, null, 2) + "\n");
  console.log(linked ? `--config=${path}` : `--import-map=${path}`);
}

if (import.meta.main) await main(Deno.args.includes("--linked"));
