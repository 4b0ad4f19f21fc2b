import { inspect } from "node:util";

/** What every failed assertion throws. */
export class AssertionError extends Error {
  /** @param message What was expected. @param options As for `Error`. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Throws, with the caller's own message behind the general one. */
export function refuse(expectation: string, msg?: string): never {
  throw new AssertionError(msg ? `${expectation}: ${msg}` : expectation);
}

/** Prints a value for a message. */
export function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 6 });
}
