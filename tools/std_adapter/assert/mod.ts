/**
 * Stands in for `@std/assert` where JSR is out of reach: the same names, the same verdicts, plainer messages.
 *
 * @module
 */

export { AssertionError } from "./assertion_error.ts";
export { assertEquals, assertNotEquals } from "./equals.ts";
export { assertRejects, assertThrows } from "./throws.ts";
export { assertAlmostEquals, assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "./order.ts";
export {
  assert,
  assertArrayIncludes,
  assertExists,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertNotStrictEquals,
  assertStrictEquals,
  assertStringIncludes,
  fail,
} from "./facts.ts";
