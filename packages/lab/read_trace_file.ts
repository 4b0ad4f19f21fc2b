import { parseTraceBlocks, readTraceLines, type TraceLine, TraceSyntaxError } from "@mmu-lab/tracing";
import { UnmodelledOperationError } from "@mmu-lab/workloads";
import { gunzip } from "./gunzip.ts";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";

/** Formats that are not text, by their first bytes, and how to make text of them. */
const BINARY_FORMATS: readonly { readonly magic: readonly number[]; readonly mend: (path: string) => string }[] = [
  {
    magic: [0x17, 0x08, 0x44, 0x74],
    mend: (path) => `it is trace-cmd's own format; make text of it: trace-cmd report ${path} > trace.txt`,
  },
  {
    magic: [0x50, 0x45, 0x52, 0x46],
    mend: (path) => `it is perf's own format; make text of it: perf script -i ${path} > trace.txt`,
  },
];

/** Opens a trace at its beginning: its lines, in blocks as they arrive. May be called again. */
export type OpenTraceFile = () => AsyncGenerator<TraceLine[]>;

/**
 * Reads a trace, as text or compressed with gzip, and says in one line what is wrong if it cannot be used.
 *
 * @typeParam T What is made of it.
 * @param path The file.
 * @param io Reads it.
 * @param use Makes something of it.
 * @throws {InputError} If the file cannot be read, is no trace, or is broken; the message names the line and the mend.
 */
export async function readTraceFile<T>(path: string, io: Io, use: (open: OpenTraceFile) => Promise<T>): Promise<T> {
  async function* open(): AsyncGenerator<TraceLine[]> {
    yield* parseTraceBlocks(readTraceLines(await io.readFile(path), { file: path, gunzip }), { file: path });
  }
  try {
    return await use(open);
  } catch (error) {
    const binary = error instanceof TraceSyntaxError ? await binaryFormat(path, io) : undefined;
    if (binary !== undefined) throw new InputError(`Cannot parse trace ${path}: ${binary}`, { cause: error });
    if (error instanceof TraceSyntaxError || error instanceof UnmodelledOperationError) {
      throw new InputError(messageOf(error), { cause: error });
    }
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(`Cannot use trace ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The lines of a trace file one by one. */
export async function* linesOf(open: OpenTraceFile): AsyncGenerator<TraceLine> {
  for await (const block of open()) yield* block;
}

async function binaryFormat(path: string, io: Io): Promise<string | undefined> {
  const reader = (await io.readFile(path)).getReader();
  const { value = new Uint8Array() } = await reader.read();
  await reader.cancel();
  return BINARY_FORMATS.find(({ magic }) => magic.every((byte, i) => value[i] === byte))?.mend(path);
}
