import { deepStrictEqual } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { refuse, show } from "./assertion_error.ts";

/** A record without a prototype counts as a plain object. */
function kind(value: object): unknown {
  return value.constructor ?? Object;
}

function sameKeys(a: object, b: object, seen: Map<object, object>): boolean {
  const keys = Reflect.ownKeys(a).filter((key) => Object.prototype.propertyIsEnumerable.call(a, key));
  const others = Reflect.ownKeys(b).filter((key) => Object.prototype.propertyIsEnumerable.call(b, key));
  return keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key), seen));
}

function sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  // Not by keys: a table of a million entries would become a million strings.
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
  return true;
}

/** Deep equality as `@std/assert` has it. Unlike Node's, 0 equals -0. */
function same(a: unknown, b: unknown, seen: Map<object, object> = new Map()): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (kind(a) !== kind(b)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof Set) return isDeepStrictEqual(a, b);
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false;
    for (const [key, value] of a) {
      // Keys that are objects match by value, which needs a search: leave that to Node.
      if (typeof key === "object" && key !== null) return isDeepStrictEqual(a, b);
      if (!b.has(key) || !same(value, b.get(key), seen)) return false;
    }
    return true;
  }
  if (a instanceof Error && b instanceof Error) return a.message === b.message && sameKeys(a, b, seen);
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) return sameItems(new Uint8Array(a), new Uint8Array(b));
  if (ArrayBuffer.isView(a) && !(a instanceof DataView)) {
    return sameItems(a as unknown as ArrayLike<unknown>, b as unknown as ArrayLike<unknown>);
  }
  return sameKeys(a, b, seen);
}

/** Node draws the difference better than a few lines here could. */
function difference(actual: unknown, expected: unknown): string {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return `${show(actual)} is not ${show(expected)}`;
}

/** Expects deep equality. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!same(actual, expected)) refuse(`Values are not equal: ${difference(actual, expected)}`, msg);
}

/** Expects that deep equality does not hold. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (same(actual, expected)) refuse(`Expected something else than ${show(actual)}`, msg);
}

/** Deep equality, for the other assertions. */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b);
}
