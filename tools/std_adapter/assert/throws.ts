import { refuse, show } from "./assertion_error.ts";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Checks what was thrown against the class and the text that the caller expects. */
function check<E extends Error>(error: unknown, expected?: ErrorClass<E>, includes?: string, msg?: string): void {
  if (!expected) return;
  if (!(error instanceof Error)) refuse(`Expected an Error to be thrown, got ${show(error)}`, msg);
  if (!(error instanceof expected)) {
    refuse(`Expected ${expected.name} to be thrown, got ${error.name}: ${error.message}`, msg);
  }
  if (includes !== undefined && !error.message.includes(includes)) {
    refuse(`Expected the message to include ${show(includes)}, got ${show(error.message)}`, msg);
  }
}

/** Expects `fn` to throw, and returns what it throws. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Expects `fn` to throw an error of a class, with a text in its message, and returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  includes?: string,
  msg?: string,
): unknown {
  const [expected, text] = typeof classOrMsg === "string" ? [undefined, classOrMsg] : [classOrMsg, msg];
  try {
    fn();
  } catch (error) {
    check(error, expected, includes, text);
    return error;
  }
  refuse("Expected the function to throw", text);
}

/** Expects the promise that `fn` returns to reject, and resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Expects a rejection with an error of a class, with a text in its message, and resolves to the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  includes?: string,
  msg?: string,
): Promise<unknown> {
  const [expected, text] = typeof classOrMsg === "string" ? [undefined, classOrMsg] : [classOrMsg, msg];
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    // An error before there is a promise is not a rejection.
    refuse(`Expected a rejection, but the function threw ${show(error)}`, text);
  }
  try {
    await promise;
  } catch (error) {
    check(error, expected, includes, text);
    return error;
  }
  refuse("Expected the promise to reject", text);
}
