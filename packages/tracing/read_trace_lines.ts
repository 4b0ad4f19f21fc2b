import { TraceSyntaxError } from "./trace_syntax_error.ts";

/** How to read a stream of bytes. */
export interface ReadTraceOptions {
  /** Whether the stream is gzip. Default: by its first two bytes. */
  readonly gzip?: boolean;
  /** Name of the file, for messages. */
  readonly file?: string;
  /** Decompresses gzip; unless told the platform's `DecompressionStream`, which refuses files of several members. */
  readonly gunzip?: (compressed: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
}

const gunzipOne = (compressed: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> =>
  (compressed as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(new DecompressionStream("gzip"));

/** Whether a decompressor refuses what it was given: the platform's says so with a `TypeError`, zlib with a code. */
function isGzipError(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}

/** The stream again, and whether it starts as gzip does (RFC 1952, 2.3.1: ID1 31, ID2 139). */
async function detectGzip(
  stream: ReadableStream<Uint8Array>,
): Promise<[isGzip: boolean, stream: ReadableStream<Uint8Array<ArrayBuffer>>]> {
  const reader = stream.getReader();
  const head: Uint8Array[] = [];
  const magic: number[] = [];
  while (magic.length < 2) {
    const { value, done } = await reader.read();
    if (done) break;
    head.push(value);
    magic.push(...value.subarray(0, 2 - magic.length));
  }
  const whole = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const value = head.shift() ?? (await reader.read()).value;
      if (value === undefined) controller.close();
      else controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [magic[0] === 31 && magic[1] === 139, whole];
}

/**
 * Reads the bytes of a trace as text, decompressing gzip. This package opens no files: pass `file.readable`, the body of
 * a response, or any other stream of bytes.
 *
 * @param stream The bytes.
 * @param options How to read them.
 * @returns Blocks of whole lines, newlines included; only the last block may end without one.
 * @throws {TraceSyntaxError} While iterating: if the gzip data is damaged, or ends early.
 *
 * @example Read a compressed trace
 * ```ts
 * import { parseTrace, readTraceLines } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const text = "           <...>-277   [000] d...   7731852553: kvm_entry: vcpu 0\n";
 * const bytes = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
 * for await (const line of parseTrace(readTraceLines(bytes))) assertEquals(line.name, "kvm_entry");
 * ```
 */
export async function* readTraceLines(
  stream: ReadableStream<Uint8Array>,
  options: ReadTraceOptions = {},
): AsyncGenerator<string> {
  const [detected, bytes] = await detectGzip(stream);
  const isGzip = options.gzip ?? detected;
  const { gunzip = gunzipOne } = options;
  const plain = isGzip ? gunzip(bytes) : bytes;
  const decoder = new TextDecoder();
  const reader = plain.getReader();
  let carry = "";
  let lines = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error: unknown) => {
        if (!isGzip || !isGzipError(error)) throw error;
        throw new TraceSyntaxError(
          { ...(options.file === undefined ? {} : { file: options.file }), line: lines + 1 },
          "a whole gzip stream (this one is damaged or truncated)",
          error.message,
        );
      });
      const text = carry + decoder.decode(value ?? new Uint8Array(0), { stream: !done });
      if (done) {
        if (text !== "") yield text;
        return;
      }
      const end = text.lastIndexOf("\n") + 1;
      carry = text.slice(end);
      if (end === 0) continue;
      const block = text.slice(0, end);
      for (let at = block.indexOf("\n"); at >= 0; at = block.indexOf("\n", at + 1)) lines++;
      yield block;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
