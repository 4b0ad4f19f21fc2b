import type { InvalidationStrategy, MmuControl } from "@mmu-lab/invalidation";
import type { Protocol, Step } from "@mmu-lab/protocol";
import { InputError, messageOf } from "./input_error.ts";

/** What a method of a strategy should be, for messages. */
const METHODS: Readonly<Record<"stamp" | "isCurrent", string>> = {
  stamp: "stamp(view, gfn) returns the generation to store in an MMIO spte made now",
  isCurrent: "isCurrent(stored, view, gfn) returns whether an MMIO spte that stores that generation may be trusted",
};

/** A strategy from outside, watched: what it does wrong comes out as an {@linkcode InputError} that says so. */
export interface GuardedStrategy {
  /** The strategy, to be used in its place. */
  readonly strategy: InvalidationStrategy;
  /** The call that the strategy is in the middle of, such as `onMemslotUpdate("committed")`. */
  readonly doing: string | undefined;
}

/**
 * Checks the shape of a strategy from outside, and watches all it does.
 *
 * @param value What a module exports.
 * @param where The module, for messages.
 * @throws {InputError} If it is no strategy; the message names what is missing and what it should be.
 */
export function guardStrategy(value: unknown, where: string): GuardedStrategy {
  return new Guard(checkShape(value, where), where);
}

function checkShape(value: unknown, where: string): InvalidationStrategy {
  const fail = (problem: string): never => {
    throw new InputError(`Cannot use the strategy of ${where}: ${problem}`);
  };
  if (typeof value !== "object" || value === null) return fail(`expected an object, got ${show(value)}`);
  const strategy = value as Partial<InvalidationStrategy>;
  const { name, maxGeneration } = strategy;
  if (typeof name !== "string" || name.trim() === "") fail(`'name' is ${show(name)}: write a short text`);
  for (const [method, doc] of Object.entries(METHODS)) {
    const found = strategy[method as keyof typeof METHODS];
    if (typeof found !== "function") fail(`'${method}' is ${found === undefined ? "missing" : show(found)}: ${doc}`);
  }
  if (typeof maxGeneration !== "number" || !Number.isSafeInteger(maxGeneration) || maxGeneration < 0) {
    fail(`'maxGeneration' is ${show(maxGeneration)}: write the largest number that stamp() ever returns, 0 or more`);
  }
  for (const method of ["onMemslotUpdate", "sweep"] as const) {
    const found: unknown = strategy[method];
    if (found !== undefined && typeof found !== "function") {
      fail(`'${method}' is ${show(found)}: write a generator function, *${method}() { .. }, or leave it out`);
    }
  }
  return value as InvalidationStrategy;
}

class Guard implements GuardedStrategy {
  readonly strategy: InvalidationStrategy;
  doing: string | undefined;
  readonly #where: string;

  constructor(inner: InvalidationStrategy, where: string) {
    this.#where = `'${inner.name}' (${where})`;
    this.strategy = {
      name: inner.name,
      maxGeneration: inner.maxGeneration,
      stamp: (view, gfn) => {
        const stamp = this.#call("stamp()", () => inner.stamp(view, gfn));
        if (Number.isSafeInteger(stamp) && stamp >= 0 && stamp <= inner.maxGeneration) return stamp;
        this.#fail("stamp()", `returns ${show(stamp)}: expected a whole number from 0 to ${inner.maxGeneration}`);
      },
      isCurrent: (stored, view, gfn) => {
        const current = this.#call("isCurrent()", () => inner.isCurrent(stored, view, gfn));
        if (typeof current === "boolean") return current;
        this.#fail("isCurrent()", `returns ${show(current)}: expected true or false`);
      },
      ...(inner.onMemslotUpdate === undefined ? {} : {
        onMemslotUpdate: (phase, change, mmu) =>
          this.#drive(`onMemslotUpdate("${phase}")`, mmu, () => inner.onMemslotUpdate!(phase, change, mmu)),
      }),
      ...(inner.sweep === undefined ? {} : { sweep: (mmu) => this.#drive("sweep()", mmu, () => inner.sweep!(mmu)) }),
    };
  }

  /** Goes through a protocol of the strategy, step by step. */
  *#drive(what: string, mmu: MmuControl, start: () => Protocol<void>): Protocol<void> {
    const protocol = this.#call(what, start);
    if (typeof protocol?.next !== "function") {
      this.#fail(what, `returns ${show(protocol)}: write a generator function, *${what.replace(/\(.*/, "")}() { .. }`);
    }
    for (;;) {
      const { done, value } = this.#call(what, () => protocol.next());
      if (done) break;
      if (!isStep(value)) this.#fail(what, `yields ${show(value)}: expected a step, such as mmu.lock.acquire`);
      // What goes wrong while the step is taken, such as a deadlock, is the strategy's doing too.
      this.doing = what;
      yield value;
      this.doing = undefined;
    }
    if (mmu.lock.heldByCurrent) this.#fail(what, "ends with mmu_lock held: yield mmu.lock.release");
  }

  #call<T>(what: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (error instanceof InputError) throw error;
      this.#fail(what, `throws: ${messageOf(error)}`, error);
    }
  }

  #fail(what: string, problem: string, cause?: unknown): never {
    throw new InputError(`Strategy ${this.#where} fails: ${what} ${problem}`, { cause });
  }
}

function isStep(value: unknown): value is Step {
  const step = value as Partial<Step> | null | undefined;
  return typeof step?.enabled === "function" && typeof step.take === "function";
}

function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
