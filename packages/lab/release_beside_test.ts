import { assertEquals } from "@std/assert";
import { releaseBeside } from "./release_beside.ts";
import { MemoryIo } from "./testdata/memory_io.ts";

function release(path: string, files: Record<string, string> = {}): Promise<string | undefined> {
  return releaseBeside(path, new MemoryIo({ files }));
}

Deno.test("releaseBeside() goes by the meta folder first, and by Debian's number before the kernel's own", async () => {
  const debian = "Linux 6.1.0-53-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.187-1 (2026-09-07) x86_64 GNU/Linux";
  assertEquals(await release("a/tdp/s1.txt", { "a/tdp/meta/uname.txt": debian }), "6.1.187");
  assertEquals(
    await release("linux-4.19/npt/s1.txt", { "linux-4.19/npt/meta/version.txt": "Linux version 4.19.0 (gcc" }),
    "4.19.0",
  );
  assertEquals(await release("s1.txt", { "meta/uname.txt": "Linux 3.13.0 #1" }), "3.13.0");
});

Deno.test("releaseBeside() takes the last number in the names of folders, and none of the file's", async () => {
  assertEquals(await release("traces/linux-4.19/npt/s9.trace.txt.gz"), "4.19");
  assertEquals(await release("linux-6.1/tdp-6.1.187/s1.txt"), "6.1.187");
  assertEquals(await release("plain/s1.5.txt"), undefined);
  assertEquals(await release("s1.txt"), undefined);
});
