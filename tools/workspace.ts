/**
 * What the tools need to know of the repository: where it is, its configuration, its packages and their entry points.
 * Nothing remote is imported here, because {@linkcode ./std.ts} must run before anything remote may be.
 *
 * @module
 */

/** Path of the repository's root, without a trailing slash. */
export const ROOT: string = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The part of a `deno.json` that the tools read. */
export interface DenoConfig {
  /** Name of the package, in a member's configuration. */
  name?: string;
  /** Bare specifiers and what they stand for. */
  imports?: Record<string, string>;
  /** Entry points of a package: one file, or export name to file. */
  exports?: string | Record<string, string>;
  /** Compiler options, copied but never looked into. */
  compilerOptions?: Record<string, unknown>;
  /** Tasks in object form. */
  tasks?: Record<string, { command?: string; description?: string }>;
}

/** A package of the workspace. */
export interface Package {
  /** Name it is imported by, such as `@mmu-lab/paging`. */
  name: string;
  /** Folder name under `packages/`. */
  folder: string;
  /** Import specifier to path below the root, for those entry points whose file exists. */
  entryPoints: Map<string, string>;
}

/** Folders of the core packages, lowest first: they run in any JavaScript engine and depend on nothing outside. */
export const CORE_FOLDERS: readonly string[] = [
  "protocol",
  "spte-encoding",
  "tracing",
  "memslots",
  "invalidation",
  "paging",
  "vmx-backend",
  "svm-backend",
  "machine",
];

/** Folders of all packages, lowest first: a package may import only what stands before it. */
export const FOLDERS: readonly string[] = [
  ...CORE_FOLDERS,
  "explorer",
  "simulator",
  "workloads",
  "checker",
  "fidelity",
  "lab",
];

/**
 * Reads a `deno.json`.
 *
 * @param path Path below the root.
 * @returns The configuration.
 */
export function readConfig(path: string): DenoConfig {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}/${path}`));
}

/**
 * Lists the packages of the workspace in the order of their folders' names. A folder without `deno.json` is none.
 *
 * @returns The packages.
 */
export function packages(): Package[] {
  const folders = [...Deno.readDirSync(`${ROOT}/packages`)]
    .map((entry) => entry.name)
    .filter((folder) => exists(`packages/${folder}/deno.json`));
  return folders.sort().map((folder) => {
    const { name = folder, exports = {} } = readConfig(`packages/${folder}/deno.json`);
    const entryPoints = new Map<string, string>();
    for (const [key, file] of Object.entries(typeof exports === "string" ? { ".": exports } : exports)) {
      const path = `packages/${folder}/${file.replace(/^\.\//, "")}`;
      // A package that is being written may announce an entry point before it has one.
      if (exists(path)) entryPoints.set(name + key.slice(1), path);
    }
    return { name, folder, entryPoints };
  });
}

/**
 * Tells whether something exists.
 *
 * @param path Path below the root.
 * @returns Whether it is there.
 */
export function exists(path: string): boolean {
  try {
    Deno.statSync(`${ROOT}/${path}`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Writes a generated file such that no reader ever sees half of it, and leaves a file alone that is right already.
 *
 * @param path Path below the root.
 * @param text The whole content.
 */
export function writeGenerated(path: string, text: string): void {
  if (exists(path) && Deno.readTextFileSync(`${ROOT}/${path}`) === text) return;
  Deno.mkdirSync(`${ROOT}/.cache`, { recursive: true });
  const temporary = `${ROOT}/.cache/${crypto.randomUUID()}.tmp`;
  Deno.writeTextFileSync(temporary, text);
  Deno.renameSync(temporary, `${ROOT}/${path}`);
}
