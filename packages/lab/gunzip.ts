import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** Bytes that are decompressed at a time. */
const CHUNK_BYTES = 65536;

/**
 * Decompresses gzip, also of several members, as `cat a.gz b.gz` makes it (RFC 1952, 2.2), which the platform's
 * `DecompressionStream` refuses.
 *
 * @param compressed The bytes.
 * @returns What they hold; reading fails with a code that begins with `Z_` if they are damaged or cut off.
 */
export function gunzip(compressed: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const plain = createGunzip({ chunkSize: CHUNK_BYTES });
  // Whoever reads is told of an error by the stream itself.
  pipeline(Readable.fromWeb(compressed as Parameters<typeof Readable.fromWeb>[0]), plain, () => {});
  return Readable.toWeb(plain) as ReadableStream<Uint8Array>;
}
