import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BUGS } from "@mmu-lab/checker";
import { lab } from "./testdata/memory_io.ts";

Deno.test("lab bugs finds the whole corpus, and every fix is clean", async () => {
  const { code, output, errors } = await lab("bugs");
  assertEquals(code, 0, errors);
  const [heading, ...rows] = output.trimEnd().split("\n");
  const columns = ["bug", "found", "schedules", "steps", "fix clean", "kernels", "fixed by", "title"];
  assertEquals(heading.trim().split(/ {2,}/), columns);
  assertEquals(rows.map((row) => row.slice(0, 3)), Object.keys(BUGS));
  assert(!output.includes("NO"));
  assertStringIncludes(output, "152482580a1b  the number is published before the wrap zap");
});

Deno.test("lab bugs --json has a record for each bug that was asked for, with a schedule to replay", async () => {
  const { code, output } = await lab("bugs B04 b01 --json");
  assertEquals(code, 0);
  const records = JSON.parse(output);
  assertEquals(records.map(({ id, found, fixedIsClean }: Record<string, unknown>) => [id, found, fixedIsClean]), [
    ["B04", true, true],
    ["B01", true, true],
  ]);
  assertEquals(Object.keys(records[0]), ["id", "found", "fixedIsClean", "schedules", "states", "steps", "schedule"]);
  const counts = [...records[0].schedule.matchAll(/[a-z](\d*)/g)].map(([, count]) => Number(count || 1));
  assertEquals(counts.reduce((a, b) => a + b), records[0].steps);
});

Deno.test("lab bugs --story tells the fix, and each step with the state after it", async () => {
  const { code, output } = await lab("bugs B04 --story");
  assertEquals(code, 0);
  assertStringIncludes(
    output,
    'fixed by   152482580a1b "KVM: Call kvm_arch_memslots_updated() before updating memslots"',
  );
  assertStringIncludes(output, "   1. vCPU 0         begin");
  assertStringIncludes(output, "memslot ioctl  give the memslots their final generation");
  assertStringIncludes(output, "      stale MMIO: vCPU 0, gfn 0xd0000 was handled as MMIO");
});

Deno.test("lab bugs knows no bug that is not in the corpus", async () => {
  const { code, output, errors } = await lab("bugs B99");
  assertEquals([code, output], [2, ""]);
  assertStringIncludes(errors, "lab bugs: Unknown bug 'B99'; did you mean 'B");
});

Deno.test("lab bugs --profile says which bugs a kernel as released has, and why some cannot show", async () => {
  const { code, output } = await lab("bugs B05 B07 B20 B27 --profile linux_5_1_npt");
  assertEquals(code, 0);
  const rows = output.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
  assertEquals(rows.map((row) => row.slice(0, 2)), [
    ["bug", "found"],
    ["B05", "no"],
    ["B07", "yes"],
    ["B20", "yes"],
    ["B27", "-"],
  ]);
  assertEquals(rows[4].at(-1), "the kernel shadows no guest tables");
  const json = await lab("bugs B05 B20 --profile linux_4_11_npt --json");
  const records = JSON.parse(json.output);
  assertEquals(records.map(({ id, profile, found }: Record<string, unknown>) => [id, profile, found]), [
    ["B05", "linux_4_11_npt", true],
    ["B20", "linux_4_11_npt", true],
  ]);
  assertStringIncludes(records[0].why, "stale MMIO");
  const { output: story } = await lab("bugs B05 --profile linux_4_11_npt --story");
  assertStringIncludes(story, "gfn 0xd0000 was handled as MMIO, but there was a slot all the time");
  assertStringIncludes(story, "memslot ioctl  publish the new memslots");
});
