/** The standard streams of a process. */
export type StandardStream = "stdin" | "stdout" | "stderr";

/**
 * Everything that a command may do to the outside world. Commands get theirs as an argument, so that a test can call
 * one and look at what it wrote.
 */
export interface Io {
  /** Writes to standard output: results, and nothing else. */
  stdout(text: string): void;
  /** Writes to standard error: problems, notes and progress. */
  stderr(text: string): void;
  /** What arrives on standard input, in blocks cut anywhere. */
  stdin(): AsyncIterable<string>;
  /**
   * Opens a file.
   *
   * @throws {InputError} If it cannot be read.
   */
  readFile(path: string): Promise<ReadableStream<Uint8Array>>;
  /**
   * Loads a module, with whatever it throws while it loads.
   *
   * @returns Its exports.
   */
  importModule(path: string): Promise<Readonly<Record<string, unknown>>>;
  /** Whether a stream is a terminal, so that people look at it. */
  isTerminal(stream: StandardStream): boolean;
}

/**
 * Reads a whole file as text.
 *
 * @throws {InputError} If it cannot be read.
 */
export async function readText(io: Io, path: string): Promise<string> {
  return await new Response(await io.readFile(path) as BodyInit).text();
}
