/**
 * For tests: the outside world in memory.
 *
 * @module
 */
import { InputError, type Io, runLab } from "../mod.ts";

/** What a {@linkcode MemoryIo} has. */
export interface MemoryIoOptions {
  /** Files by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Exports of modules by path, or what loading one throws. */
  readonly modules?: Readonly<Record<string, Record<string, unknown> | Error>>;
  /** Blocks that arrive on standard input; without, it is a terminal. */
  readonly stdin?: readonly string[];
}

/** An outside world in memory, which keeps what was written. */
export class MemoryIo implements Io {
  /** What was written to standard output, a write each. */
  readonly writes: string[] = [];
  /** What was written to standard error. */
  errors = "";

  constructor(readonly options: MemoryIoOptions = {}) {}

  /** What was written to standard output. */
  get output(): string {
    return this.writes.join("");
  }

  stdout(text: string): void {
    this.writes.push(text);
  }

  stderr(text: string): void {
    this.errors += text;
  }

  async *stdin(): AsyncGenerator<string> {
    yield* this.options.stdin ?? [];
  }

  readFile(path: string): Promise<ReadableStream<Uint8Array>> {
    const file = this.options.files?.[path] ?? (this.options.modules?.[path] === undefined ? undefined : "");
    if (file === undefined) return Promise.reject(new InputError(`Cannot read ${path}: there is no such file`));
    return Promise.resolve(new Blob([file as BlobPart]).stream());
  }

  importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
    const module = this.options.modules?.[path];
    return module === undefined || module instanceof Error ? Promise.reject(module) : Promise.resolve(module);
  }

  isTerminal(stream: string): boolean {
    return stream === "stdin" && this.options.stdin === undefined;
  }
}

/** Runs a command line, words separated by spaces. */
export async function lab(
  args: string,
  options: MemoryIoOptions = {},
): Promise<{ code: number; output: string; errors: string; io: MemoryIo }> {
  const io = new MemoryIo(options);
  const code = await runLab(args.split(" ").filter((word) => word !== ""), io);
  return { code, output: io.output, errors: io.errors, io };
}

/** A recording as the recorder writes it, of operations and their outcomes. */
export function recording(operations: readonly (readonly [start: string, done: string])[]): string {
  const marker = (text: string) => `           <...>-211   [000] ...2   21886: tracing_mark_write: ${text}\n`;
  const head = marker("seq=0 op=scenario name=tiny cfg=ept seed=0 vcpus=1 guest_paging=1g-identity");
  const lines = operations.map(([start, done], seq) =>
    marker(`seq=${seq + 1} op=${start}`) + marker(`seq=${seq + 1} op=done ret=0 ${done}`)
  );
  return head + lines.join("");
}

const MMIO_READ = "kind=mmio mmio_reads=1 mmio_writes=0 value=0xc5a5a5a5";
const READ = "read vcpu=0 gpa=0xe0000000 gva=0xe0000000 size=4";

/** Bug B01, its smallest case: a page is touched, gets memory, is touched again, and Linux 3.11 takes it for MMIO. */
export const B01: string = recording([
  ["memslot_create as=0 id=0 gpa=0x0 size=0x80000 flags=0", ""],
  ["vcpu_create vcpu=0", ""],
  ["vcpu_start vcpu=0", ""],
  [READ, MMIO_READ],
  ["memslot_create as=0 id=5 gpa=0xe0000000 size=0x1000 flags=0", ""],
  [READ, MMIO_READ],
]);
