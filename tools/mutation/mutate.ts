/**
 * What a mutation is, and how one is applied to a source text.
 *
 * @module
 */

/** One small mistake, put into one place of the sources to see whether a test notices. */
export interface Mutation {
  /** A short name. */
  readonly id: string;
  /** The file that is changed, below the root. */
  readonly file: string;
  /** Text of a line, or part of one; it occurs in the file exactly once. */
  readonly find: string;
  /** What stands there instead. */
  readonly replace: string;
  /** What is then wrong, in one sentence, as a kernel developer would say it. */
  readonly what: string;
  /** Test files that are expected to notice, in the order in which they are asked. */
  readonly caughtBy: readonly string[];
}

/** A mutation no longer fits the sources. */
export class StaleMutationError extends Error {
  /**
   * Makes the error.
   *
   * @param mutation The mutation.
   * @param count How often its text occurs.
   */
  constructor(mutation: Mutation, count: number) {
    super(
      `Cannot apply mutation '${mutation.id}': its text occurs ${count} times in ${mutation.file}, expected once: ` +
        mutation.find,
    );
    this.name = "StaleMutationError";
  }
}

/**
 * Applies a mutation.
 *
 * @param mutation The mutation.
 * @param source The text of its file.
 * @returns The changed text.
 * @throws {StaleMutationError} If the text to be replaced does not occur exactly once.
 */
export function mutate(mutation: Mutation, source: string): string {
  const parts = source.split(mutation.find);
  if (parts.length !== 2) throw new StaleMutationError(mutation, parts.length - 1);
  return parts.join(mutation.replace);
}
