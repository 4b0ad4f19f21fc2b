import { refuse, show } from "./assertion_error.ts";
import { equal } from "./equals.ts";

// deno-lint-ignore no-explicit-any
type AnyClass = abstract new (...args: any[]) => any;

type Falsy = false | 0 | 0n | "" | null | undefined;

/** Expects something true. */
export function assert(expr: unknown, msg?: string): asserts expr {
  if (!expr) refuse(msg ?? "");
}

/** Expects something false. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is Falsy {
  if (expr) refuse(msg ?? "Expected something false");
}

/** Expects neither `null` nor `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) refuse(`Expected something else than ${actual}`, msg);
}

/** Expects the very same value. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) refuse(`Expected ${show(expected)} itself, got ${show(actual)}`, msg);
}

/** Expects any value but this very one. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) refuse(`Expected something else than ${show(actual)}`, msg);
}

/** Expects an instance of a class. */
export function assertInstanceOf<T extends AnyClass>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) refuse(`Expected a ${expectedType.name}, got ${show(actual)}`, msg);
}

/** Expects a text that the pattern matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected ${show(actual)} to match ${expected}`, msg);
}

/** Expects a text that has another one in it. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected ${show(actual)} to include ${show(expected)}`, msg);
}

/** Expects every item of `expected` to equal some item of `actual`. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const items = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !items.some((item) => equal(item, wanted)));
  if (missing.length > 0) refuse(`Expected ${show(actual)} to include ${show(missing)}`, msg);
}

/** Fails. */
export function fail(msg?: string): never {
  refuse("Failed assertion", msg);
}
