/** Where in a trace something could not be read. */
export interface TracePosition {
  /** Name of the file, for messages. */
  readonly file?: string;
  /** Line number, from 1; 0 if unknown. */
  readonly line: number;
}

const QUOTE_LENGTH = 60;

/** Text that is not a trace, or not the text of the event that it claims to be. */
export class TraceSyntaxError extends SyntaxError {
  /** `TraceSyntaxError`. */
  override readonly name: string = "TraceSyntaxError";
  /** Name of the file, if the caller gave one. */
  readonly file?: string;
  /** Line number, from 1; 0 if unknown. */
  readonly line: number;
  /** What should have been there. */
  readonly expected: string;

  /**
   * Makes the error, and its message.
   *
   * @param position Where it happened.
   * @param expected What should have been there.
   * @param got What was there instead; cut at 60 characters in the message.
   */
  constructor(position: TracePosition, expected: string, got: string) {
    const { file, line } = position;
    const place = `trace${line > 0 ? ` line ${line}` : ""}${
      file === undefined ? "" : ` ${line > 0 ? "of " : ""}${file}`
    }`;
    const quote = got.length > QUOTE_LENGTH ? got.slice(0, QUOTE_LENGTH) + "…" : got;
    super(`Cannot parse ${place}: expected ${expected}, got '${quote}'`);
    if (file !== undefined) this.file = file;
    this.line = line;
    this.expected = expected;
  }
}
