import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";

/** The outside world as Deno gives it: files, modules and the process's own streams. */
export const DENO_IO: Io = {
  stdout: (text) => write(Deno.stdout, text),
  stderr: (text) => write(Deno.stderr, text),
  async *stdin() {
    const decoder = new TextDecoder();
    for await (const bytes of Deno.stdin.readable) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  },
  async readFile(path) {
    try {
      // Opening a directory works; only reading it fails, and late.
      if ((await Deno.stat(path)).isDirectory) throw new InputError(`Cannot read ${path}: it is a directory`);
      return (await Deno.open(path)).readable;
    } catch (error) {
      if (error instanceof InputError) throw error;
      const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
      throw new InputError(`Cannot read ${path}: ${reason}`, { cause: error });
    }
  },
  importModule: async (path) => await import(pathToFileURL(resolve(path)).href),
  isTerminal: (stream) => Deno[stream].isTerminal(),
};

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (error) {
    // Whoever read the output has gone, such as `| head`: there is nobody to go on for.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}
