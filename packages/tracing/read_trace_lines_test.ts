import { assertEquals, assertRejects } from "@std/assert";
import { readTraceLines } from "./read_trace_lines.ts";
import { TraceSyntaxError } from "./trace_syntax_error.ts";

const TEXT = Array.from({ length: 2000 }, (_, index) => `  task-1 [000] .... ${index}: kvm_entry: vcpu 0\n`).join("");

function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
  return ReadableStream.from(chunks);
}

async function gzip(text: string): Promise<Uint8Array> {
  return await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}

Deno.test("readTraceLines() reads plain text in blocks of whole lines", async () => {
  const blocks = await Array.fromAsync(readTraceLines(streamOf(new TextEncoder().encode(TEXT + "rest"), 1000)));
  assertEquals(blocks.join(""), TEXT + "rest");
  assertEquals(blocks.slice(0, -1).every((block) => block.endsWith("\n")), true);
});

Deno.test("readTraceLines() detects gzip, even a byte at a time", async () => {
  const bytes = await gzip(TEXT);
  for (const size of [1, 4096]) {
    assertEquals((await Array.fromAsync(readTraceLines(streamOf(bytes, size)))).join(""), TEXT);
  }
});

Deno.test("readTraceLines() keeps characters that are cut between chunks", async () => {
  const bytes = new TextEncoder().encode("tâsk\n");
  assertEquals((await Array.fromAsync(readTraceLines(streamOf(bytes, 1)))).join(""), "tâsk\n");
});

Deno.test("readTraceLines() names a truncated gzip stream", async () => {
  const bytes = await gzip(TEXT);
  await assertRejects(
    () => Array.fromAsync(readTraceLines(streamOf(bytes.slice(0, bytes.length >> 1), 512), { file: "s1.gz" })),
    TraceSyntaxError,
    "of s1.gz: expected a whole gzip stream (this one is damaged or truncated)",
  );
});

Deno.test("readTraceLines() yields nothing for an empty stream", async () => {
  assertEquals(await Array.fromAsync(readTraceLines(streamOf(new Uint8Array(0), 1))), []);
});
