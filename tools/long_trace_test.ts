import { assert, assertEquals } from "@std/assert";
import { conformTrace, type TraceConformance } from "@mmu-lab/fidelity";
import { parseTraceBlocks } from "@mmu-lab/tracing";
import { oneVm, repeated } from "./long_trace.ts";

function conform(texts: Iterable<string>): Promise<TraceConformance> {
  return conformTrace(() => parseTraceBlocks(ReadableStream.from(texts)));
}

Deno.test("oneVm() is a recording that the model agrees with, of the length that was asked for", async () => {
  const bytes = 100_000;
  const text = [...oneVm(bytes)].join("");
  assert(text.length >= bytes && text.length < 2 * bytes);
  const { profile, levels, mismatches } = await conform([text]);
  assertEquals(profile, "linux_6_1_npt_tdp");
  assertEquals(mismatches, []);
  assert(levels[2]!.total > 500, `${levels[2]!.total} outcomes and events`);
});

Deno.test("repeated() is recordings one after another, which conform as often", async () => {
  const one = [...oneVm(1)].join("");
  const once = await conform([one]);
  const text = [...repeated([one], 3 * one.length)];
  assertEquals(text.length, 3);
  const { levels } = await conform(text);
  assertEquals(levels[2], { matched: 3 * once.levels[2]!.total, total: 3 * once.levels[2]!.total });
});
