import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { stub } from "@std/testing/mock";

/** Each story, and lines that only a story that went well prints. */
const STORIES: Readonly<Record<string, readonly string[]>> = {
  "01_first_vm.ts": [
    "read 0x5000: ram",
    "check_mmio_spte: spte fff00000d0000b5e kvm_gen 7ff6b spte-gen 7ff6b valid 1",
    "check_mmio_spte: spte fff00000d0001b5e kvm_gen 7ff6c spte-gen 7ff6b valid 0",
  ],
  "02_decode_an_spte.ts": [
    "mmio, gfn 0xe0000, access not stored, generation 0x7ff6b",
    "linux_6_1_ept      0xfee00016         reads back access 0",
    "linux_5_1_ept: generation 1024 reads back as 0",
  ],
  "03_swap_strategies.ts": ["fullWalkEveryPage", "generation                          21308         512"],
  "04_own_strategy.ts": ["generation: 0 fast hits, 392 refaults", "newMemoryBumps: 396 fast hits, 0 refaults"],
  "05_replay_a_recording.ts": [
    "seq 14: write 0xe0000000 -> mmio",
    "linux_3_11_ept: 462 of 462 outcomes and events agree",
    "the model:  ret=0 kind=ram mmio_reads=0 mmio_writes=0 value=0x55667788",
  ],
};

for (const [file, telling] of Object.entries(STORIES)) {
  Deno.test(`examples/${file} tells its story`, async () => {
    const lines: string[] = [];
    using _ = stub(console, "log", (...words: unknown[]) => void lines.push(words.join(" ")));
    await import(`./${file}`);
    const output = lines.join("\n");
    for (const line of telling) assertStringIncludes(output, line);
  });
}

Deno.test("every example is a story that is tested, and is under 60 lines long", async () => {
  const numbered: string[] = [];
  for await (const { name } of Deno.readDir(new URL(".", import.meta.url))) {
    if (!/^\d\d_.*\.ts$/.test(name)) continue;
    numbered.push(name);
    const text = await Deno.readTextFile(new URL(name, import.meta.url));
    assert(text.split("\n").length <= 60, `${name} is too long`);
  }
  assertEquals(numbered.sort(), Object.keys(STORIES));
});

Deno.test("the README shows examples/my_strategy.ts whole", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  assertStringIncludes(readme, await Deno.readTextFile(new URL("my_strategy.ts", import.meta.url)));
});
