/**
 * Stands in for `@std/testing/mock` where JSR is out of reach.
 *
 * @module
 */

import { assertEquals } from "../assert/mod.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

/** One call of a spy. */
export interface SpyCall<Self = Anything, Args extends unknown[] = Anything[], Return = Anything> {
  /** Its arguments. */
  args: Args;
  /** What it returned. */
  returned?: Return;
  /** What it threw. */
  error?: Error;
  /** The object it was called on. */
  self?: Self;
}

/** A function that writes down how it was called. */
export interface Spy<Self = Anything, Args extends unknown[] = Anything[], Return = Anything> {
  (this: Self, ...args: Args): Return;
  /** The function behind it. */
  original: (this: Self, ...args: Args) => Return;
  /** The calls so far. */
  calls: SpyCall<Self, Args, Return>[];
  /** Whether the original is back in its place. */
  restored: boolean;
  /** Puts the original back. */
  restore(): void;
}

/** A spy in the place of a method, until it is disposed of. */
export interface MethodSpy<Self = Anything, Args extends unknown[] = Anything[], Return = Anything>
  extends Spy<Self, Args, Return>, Disposable {}

/** Thrown where a mock cannot do what it is asked to. */
export class MockError extends Error {
  override name = "MockError";
}

type Fn<Self, Args extends unknown[], Return> = (this: Self, ...args: Args) => Return;
type ArgsOf<Self, Prop extends keyof Self> = Self[Prop] extends (...args: infer Args) => unknown ? Args : unknown[];
type ReturnOf<Self, Prop extends keyof Self> = Self[Prop] extends (...args: never[]) => infer Return ? Return : unknown;

/** Makes the function that records; `restore` says how to undo it. */
function record<Self, Args extends unknown[], Return>(
  original: Fn<Self, Args, Return>,
  fake: Fn<Self, Args, Return>,
  restore: () => void,
): MethodSpy<Self, Args, Return> {
  const calls: SpyCall<Self, Args, Return>[] = [];
  function recorder(this: Self, ...args: Args): Return {
    const call: SpyCall<Self, Args, Return> = this ? { args, self: this } : { args };
    calls.push(call);
    try {
      return call.returned = fake.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    }
  }
  const spied = Object.assign(recorder, {
    original,
    calls,
    restored: false,
    restore() {
      if (spied.restored) throw new MockError("Cannot restore: already restored");
      restore();
      spied.restored = true;
    },
    [Symbol.dispose]: () => spied.restore(),
  });
  return spied;
}

function replace(self: Anything, property: PropertyKey, fake?: Anything): Anything {
  const original = self[property];
  if (typeof original !== "function") throw new MockError("Cannot replace: property is not an instance method");
  const descriptor = Object.getOwnPropertyDescriptor(self, property);
  const spied = record(original, fake ?? original, () => {
    if (descriptor) Object.defineProperty(self, property, descriptor);
    else delete self[property];
  });
  Object.defineProperty(self, property, { configurable: true, writable: true, value: spied });
  return spied;
}

/** Makes a function that does nothing but record its calls. */
export function spy<Self = Anything, Args extends unknown[] = Anything[], Return = undefined>(): Spy<
  Self,
  Args,
  Return
>;
/** Records the calls of a function. */
export function spy<Self, Args extends unknown[], Return>(func: Fn<Self, Args, Return>): Spy<Self, Args, Return>;
/** Records the calls of a method, which works as before. */
export function spy<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): MethodSpy<Self, ArgsOf<Self, Prop>, ReturnOf<Self, Prop>>;
export function spy(target?: Anything, property?: PropertyKey): Anything {
  if (property !== undefined) return replace(target, property);
  const original = target ?? (() => {});
  return record(original, original, () => {
    throw new MockError("Cannot restore: function cannot be restored");
  });
}

/** Puts another function in the place of a method, and records its calls. */
export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
  func?: (this: Self, ...args: ArgsOf<Self, Prop>) => ReturnOf<Self, Prop>,
): MethodSpy<Self, ArgsOf<Self, Prop>, ReturnOf<Self, Prop>> {
  return replace(self, property as PropertyKey, func ?? (() => {}));
}

/** Expects a number of calls. */
export function assertSpyCalls(spied: { calls: unknown[] }, expectedCalls: number): void {
  assertEquals(spied.calls.length, expectedCalls, "number of calls");
}
