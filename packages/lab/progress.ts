import type { Io } from "./io.ts";

/** Time between two drawings, in milliseconds; what ends sooner shows nothing. */
const INTERVAL_MS = 200;
const LINE_CLEAR = "\r\u001b[K";

/**
 * Does long work with a line on the terminal that says how far it is, and takes the line away however the work ends.
 *
 * @param io Where to.
 * @param work The work; it is given the line.
 * @param now The clock, in milliseconds.
 */
export async function withProgress<T>(
  io: Io,
  work: (progress: Progress) => T | Promise<T>,
  now?: () => number,
): Promise<T> {
  const progress = new Progress(io, now);
  try {
    return await work(progress);
  } finally {
    progress.clear();
  }
}

/** A line on the terminal that says how far something is. Nothing is written where nobody looks. */
export class Progress {
  readonly #io: Io;
  readonly #isOn: boolean;
  readonly #now: () => number;
  #last: number;
  #isDrawn = false;

  /**
   * Makes one that shows nothing yet.
   *
   * @param io Where to.
   * @param now The clock, in milliseconds.
   */
  constructor(io: Io, now: () => number = Date.now) {
    this.#io = io;
    this.#isOn = io.isTerminal("stderr");
    this.#now = now;
    this.#last = now();
  }

  /** Says how far it is. */
  update(what: string, done: number, total: number): void {
    if (!this.#isOn || this.#now() - this.#last < INTERVAL_MS) return;
    this.#last = this.#now();
    this.#isDrawn = true;
    this.#io.stderr(`${LINE_CLEAR}${what}: ${Math.floor((100 * done) / Math.max(total, 1))} %`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isDrawn) this.#io.stderr(LINE_CLEAR);
    this.#isDrawn = false;
  }
}
