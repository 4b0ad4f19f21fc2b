import { assert, assertEquals } from "@std/assert";

const TESTDATA = new URL("./testdata/", import.meta.url);
/** What the recordings may take in all, in bytes. */
const LIMIT = 9_000_000;

/** Folders with recordings, by path below `testdata`, and the bytes of everything below it. */
async function contents(path = ""): Promise<{ folders: string[]; bytes: number }> {
  const folders = new Set<string>();
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(new URL(path, TESTDATA))) {
    if (isDirectory) {
      const below = await contents(`${path}${name}/`);
      for (const folder of below.folders) folders.add(folder);
      bytes += below.bytes;
      continue;
    }
    bytes += (await Deno.stat(new URL(path + name, TESTDATA))).size;
    if (name.endsWith(".trace.txt.gz")) folders.add(path.slice(0, -1));
  }
  return { folders: [...folders].sort(), bytes };
}

Deno.test("the recordings' README has a row for each folder, and all of them together stay small", async () => {
  const { folders, bytes } = await contents();
  const readme = await Deno.readTextFile(new URL("README.md", TESTDATA));
  const rows = [...readme.matchAll(/^\| `(linux-[^`]+)` \|/gm)].map(([, folder]) => folder).sort();
  assertEquals(rows, folders);
  assert(bytes < LIMIT, `${bytes} bytes`);
});
