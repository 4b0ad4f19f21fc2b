import { assert, assertEquals } from "@std/assert";
import { CORE_FOLDERS, FOLDERS, packages, ROOT } from "./workspace.ts";

/** Specifiers that a module imports from; snippets in comments are not imports. */
function imports(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "");
  const pattern = /^\s*(?:import|export)\s[\w\s{},*$]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\("([^"]+)"/gm;
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3]!);
}

/** Modules of a package that are not tests or benches, with their depth below the package's folder. */
function* modules(path: string, depth = 0): Generator<{ path: string; depth: number }> {
  for (const entry of Deno.readDirSync(`${ROOT}/${path}`)) {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory && entry.name !== "testdata") yield* modules(below, depth + 1);
    if (entry.isFile && /(?<!_test|_bench)\.ts$/.test(entry.name)) yield { path: below, depth };
  }
}

function* importsOf(folder: string): Generator<{ path: string; depth: number; specifier: string }> {
  for (const { path, depth } of modules(`packages/${folder}`)) {
    for (const specifier of imports(Deno.readTextFileSync(`${ROOT}/${path}`))) yield { path, depth, specifier };
  }
}

Deno.test("every package has its place in the order", () => {
  for (const { folder, name } of packages()) {
    assert(FOLDERS.includes(folder), folder);
    assertEquals(name, `@mmu-lab/${folder}`);
  }
});

Deno.test("a package imports only packages below it", () => {
  for (const { folder } of packages()) {
    for (const { path, specifier } of importsOf(folder)) {
      const other = /^@mmu-lab\/([^/]+)/.exec(specifier)?.[1];
      if (other === undefined) continue;
      assert(FOLDERS.indexOf(other) < FOLDERS.indexOf(folder), `${path} imports ${specifier}`);
    }
  }
});

Deno.test("a relative import stays inside its package", () => {
  for (const { folder } of packages()) {
    for (const { path, depth, specifier } of importsOf(folder)) {
      const up = specifier.split("/").filter((part) => part === "..").length;
      assert(up <= depth, `${path} imports ${specifier}`);
    }
  }
});

Deno.test("a core package imports nothing from outside the project", () => {
  for (const folder of CORE_FOLDERS) {
    if (!packages().some((member) => member.folder === folder)) continue;
    for (const { path, specifier } of importsOf(folder)) {
      assert(/^(\.|@mmu-lab\/)/.test(specifier), `${path} imports ${specifier}`);
    }
  }
});
