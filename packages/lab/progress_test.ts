import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Progress, withProgress } from "./progress.ts";
import { MemoryIo } from "./testdata/memory_io.ts";

class Terminal extends MemoryIo {
  override isTerminal(): boolean {
    return true;
  }
}

Deno.test("Progress shows on a terminal, now and then, and goes away", () => {
  const io = new Terminal();
  let now = 0;
  const progress = new Progress(io, () => now);
  progress.update("generation", 1, 10);
  assertEquals(io.errors, "");
  now = 1000;
  progress.update("generation", 5, 10);
  assertStringIncludes(io.errors, "generation: 50 %");
  progress.clear();
  assertEquals(io.errors.endsWith("\r\u001b[K"), true);
});

Deno.test("Progress writes nothing where nobody looks", () => {
  const io = new MemoryIo();
  let now = 0;
  const progress = new Progress(io, () => now += 1000);
  progress.update("generation", 5, 10);
  progress.clear();
  assertEquals(io.errors, "");
});

Deno.test("withProgress() takes the line away before an error goes on", async () => {
  const io = new Terminal();
  let now = 0;
  const work = (progress: Progress) => {
    progress.update("Conforming", 1, 2);
    throw new RangeError("a broken file");
  };
  await assertRejects(() => withProgress(io, work, () => now += 1000), RangeError, "a broken file");
  assertStringIncludes(io.errors, "Conforming: 50 %");
  assertEquals(io.errors.endsWith("\r\u001b[K"), true);
});
