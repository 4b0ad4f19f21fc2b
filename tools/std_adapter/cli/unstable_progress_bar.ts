/**
 * Stands in for `@std/cli/unstable-progress-bar` where JSR is out of reach.
 *
 * @module
 */

/** What a formatter may use. */
export interface ProgressBarFormatter {
  /** Time since the start, `mm:ss`. */
  styledTime: string;
  /** The value and the maximum. */
  styledData: string;
  /** The bar itself, `###-------`. */
  progressBar: string;
  /** Time since the start, in milliseconds. */
  time: number;
  /** The time at the previous call. */
  previousTime: number;
  /** How far it is. */
  value: number;
  /** The value at the previous call. */
  previousValue: number;
  /** How far it goes. */
  max: number;
}

/** Options of a progress bar. */
export interface ProgressBarOptions {
  /** Where it is drawn; the error output by default. */
  writable?: WritableStream<Uint8Array>;
  /** Where it starts. */
  value?: number;
  /** Where it ends. */
  max: number;
  /** Length in characters. */
  barLength?: number;
  /** Character of the part that is done. */
  fillChar?: string;
  /** Character of the part that is not. */
  emptyChar?: string;
  /** Whether it goes away at the end. */
  clear?: boolean;
  /** Draws the line. */
  formatter?: (formatter: ProgressBarFormatter) => string;
  /** Whether the stream stays open at the end. */
  keepOpen?: boolean;
  /** Time between two drawings, in milliseconds. */
  interval?: number;
}

const LINE_CLEAR = "\r\u001b[K";

function twoDigits(value: number): string {
  return String(Math.trunc(value)).padStart(2, "0");
}

/** A line that shows how far something is, drawn again at an interval. */
export class ProgressBar {
  /** How far it is; the owner moves it. */
  value: number;
  /** How far it goes. */
  max: number;

  readonly #options: Required<ProgressBarOptions>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #start = Date.now();
  #previousTime = 0;
  #previousValue: number;

  /** Starts drawing. @param options How. */
  constructor(options: ProgressBarOptions) {
    this.#options = {
      writable: Deno.stderr.writable,
      value: 0,
      barLength: 50,
      fillChar: "#",
      emptyChar: "-",
      clear: false,
      formatter: (line) => `[${line.styledTime}] [${line.progressBar}] [${line.styledData}]`,
      keepOpen: true,
      interval: 1000,
      ...options,
    };
    this.value = this.#previousValue = this.#options.value;
    this.max = options.max;
    this.#writer = this.#options.writable.getWriter();
    this.#timer = setInterval(() => this.#draw(), this.#options.interval);
    this.#draw();
  }

  /** Draws for the last time, and lets go of the stream. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#options.clear) {
      await this.#write(LINE_CLEAR);
    } else {
      await this.#draw();
      await this.#write("\n");
    }
    if (!this.#options.keepOpen) await this.#writer.close();
    this.#writer.releaseLock();
  }

  async #draw(): Promise<void> {
    const { barLength, fillChar, emptyChar, formatter } = this.#options;
    const time = Date.now() - this.#start;
    const filled = Math.trunc(Math.min(Math.max(this.value / this.max, 0), 1) * barLength);
    const line = formatter({
      styledTime: `${twoDigits(time / 60_000)}:${twoDigits((time / 1000) % 60)}`,
      styledData: `${this.value}/${this.max}`,
      progressBar: fillChar.repeat(filled) + emptyChar.repeat(barLength - filled),
      time,
      previousTime: this.#previousTime,
      value: this.value,
      previousValue: this.#previousValue,
      max: this.max,
    });
    this.#previousTime = time;
    this.#previousValue = this.value;
    await this.#write(LINE_CLEAR + line);
  }

  async #write(text: string): Promise<void> {
    try {
      await this.#writer.write(new TextEncoder().encode(text));
    } catch {
      // Nobody reads any more: progress is not worth an error.
    }
  }
}
