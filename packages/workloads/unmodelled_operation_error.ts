/** A recording has an operation that scenarios cannot say yet. Callers that go through many recordings skip it. */
export class UnmodelledOperationError extends Error {
  /** `UnmodelledOperationError`. */
  override readonly name: string = "UnmodelledOperationError";
  /** The operation, as in its marker. */
  readonly op: string;
  /** Its number. */
  readonly seq: number;
  /** Its line in the trace, from 1. */
  readonly line: number;
  /** Name of the file, if the caller gave one. */
  readonly file?: string;

  /**
   * Makes the error, and its message.
   *
   * @param where The operation, and where its marker stands.
   * @param needs What a model would need for it.
   */
  constructor(
    where: { readonly op: string; readonly seq: number; readonly line: number; readonly file?: string },
    needs: string,
  ) {
    const place = where.file === undefined ? "" : ` of ${where.file}`;
    super(`Cannot turn operation ${where.seq} (op=${where.op}, line ${where.line}${place}) into a scenario: ${needs}`);
    this.op = where.op;
    this.seq = where.seq;
    this.line = where.line;
    if (where.file !== undefined) this.file = where.file;
  }
}
