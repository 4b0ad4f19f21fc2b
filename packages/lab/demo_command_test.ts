import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DENO_IO } from "./deno_io.ts";
import { runLab } from "./run_lab.ts";
import { MemoryIo } from "./testdata/memory_io.ts";

Deno.test("lab demo shows that the model does what the recorded kernel did, and two comparisons", async () => {
  const io = new MemoryIo();
  io.readFile = DENO_IO.readFile;
  assertEquals(await runLab(["demo"], io), 0, io.errors);
  const facts = [...io.output.matchAll(/^(.*\S) +([\d,]+) +([\d,]+)$/gm)].slice(0, 8);
  assertEquals(facts.length, 8);
  for (const [, label, recorded, model] of facts) assertEquals(recorded, model, label);
  assertStringIncludes(io.output, "MMIO sptes made (mark_mmio_spte)             105    105");
  assertEquals([...io.output.matchAll(/fullWalk +generation +hybrid/g)].length, 2);
  assert(!io.output.includes("UNSOUND"));
});

Deno.test("lab demo without the recording says so", async () => {
  const io = new MemoryIo();
  assertEquals(await runLab(["demo"], io), 2);
  assertEquals(io.output, "");
  assertStringIncludes(io.errors, "s11.trace.txt.gz: there is no such file");
});
