/**
 * Stands in for `@std/cli/unstable-spinner` where JSR is out of reach.
 *
 * @module
 */

/** Options of a spinner. */
export interface SpinnerOptions {
  /** The pictures, one after the other. */
  spinner?: string[];
  /** Text beside it. */
  message?: string;
  /** Time between two pictures, in milliseconds. */
  interval?: number;
  /** Where it is drawn; the output by default. */
  output?: typeof Deno.stderr | typeof Deno.stdout;
}

const LINE_CLEAR = "\r\u001b[K";

/** Shows that something is going on. */
export class Spinner {
  /** Text beside it; may change while it turns. */
  message: string;

  readonly #pictures: string[];
  readonly #interval: number;
  readonly #output: typeof Deno.stderr | typeof Deno.stdout;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Makes a spinner that does not turn yet. @param options How. */
  constructor(options: SpinnerOptions = {}) {
    this.message = options.message ?? "";
    this.#pictures = options.spinner ?? ["|", "/", "-", "\\"];
    this.#interval = options.interval ?? 75;
    this.#output = options.output ?? Deno.stdout;
  }

  /** Starts turning. */
  start(): void {
    if (this.#timer !== undefined) return;
    let turn = 0;
    const draw = () => this.#write(`${LINE_CLEAR}${this.#pictures[turn++ % this.#pictures.length]} ${this.message}`);
    this.#timer = setInterval(draw, this.#interval);
    draw();
  }

  /** Stops turning, and clears the line. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#write(LINE_CLEAR);
  }

  #write(text: string): void {
    this.#output.writeSync(new TextEncoder().encode(text));
  }
}
