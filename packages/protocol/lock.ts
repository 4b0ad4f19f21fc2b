import type { Execution } from "./execution.ts";
import type { Step } from "./step.ts";
import { LOCKS, writes } from "./touches.ts";
import { Work } from "./work_counters.ts";

const NOBODY = -1;

/**
 * A spin lock. Take it with `yield lock.acquire`, give it back with `yield lock.release`; a scheduler lets the actor
 * past `acquire` when nobody holds the lock. It measures how much work is done while it is held.
 */
export class Lock {
  /** The kernel's name of the lock. */
  readonly name: string;
  /** The step that takes the lock; waits while somebody holds it. */
  readonly acquire: Step;
  /** The step that gives the lock back; the holder alone may take it. */
  readonly release: Step;
  /**
   * As {@linkcode Lock.acquire}, for code that up to its next step touches nothing but what the lock protects: an explorer
   * takes it as one with that step.
   */
  readonly enter: Step;
  /**
   * As {@linkcode Lock.release}, for code that up to its next step touches nothing shared: an explorer takes it as one with
   * what was done last under the lock.
   */
  readonly leave: Step;
  /** Work units done under the lock so far, all holds together. */
  heldUnits = 0;
  /** Work units of the longest single hold. */
  longestHoldUnits = 0;
  #owner = NOBODY;
  #unitsAtAcquire = 0;
  readonly #execution: Execution;

  /**
   * Makes a free lock.
   *
   * @param name The kernel's name of the lock.
   * @param execution The world it belongs to.
   */
  constructor(name: string, execution: Execution) {
    this.name = name;
    this.#execution = execution;
    const acquire = {
      name: `acquire ${name}`,
      touches: writes(LOCKS),
      enabled: () => this.#owner === NOBODY,
      take: (actor: number) => this.#take(actor),
    };
    const release = {
      name: `release ${name}`,
      touches: writes(LOCKS),
      enabled: () => true,
      take: (actor: number) => this.#give(actor),
    };
    this.acquire = Object.freeze(acquire);
    this.release = Object.freeze(release);
    this.enter = Object.freeze({ ...acquire, joins: "after" as const });
    this.leave = Object.freeze({ ...release, joins: "before" as const });
  }

  /** Whether the actor that runs now holds the lock. */
  get heldByCurrent(): boolean {
    return this.#owner === this.#execution.actor;
  }

  /** The actor that holds the lock, or -1. */
  get owner(): number {
    return this.#owner;
  }

  /**
   * Asserts that the running actor holds the lock, as the kernel's lockdep does.
   *
   * @param action What needs the lock, for the message.
   * @throws {LockNotHeldError} If the running actor does not hold it.
   */
  assertHeld(action: string): void {
    if (this.#owner !== this.#execution.actor) throw new LockNotHeldError(this.name, action, this.#execution.actor);
  }

  #take(actor: number): void {
    const { counters } = this.#execution;
    counters.counts[Work.lockAcquisitions]++;
    this.#owner = actor;
    this.#unitsAtAcquire = counters.units();
  }

  #give(actor: number): void {
    if (this.#owner !== actor) throw new LockNotHeldError(this.name, `release ${this.name}`, actor);
    const held = this.#execution.counters.units() - this.#unitsAtAcquire;
    this.heldUnits += held;
    if (held > this.longestHoldUnits) this.longestHoldUnits = held;
    this.#owner = NOBODY;
  }
}

/** Something was done without the lock that it needs. */
export class LockNotHeldError extends Error {
  /**
   * Makes the error.
   *
   * @param lock Name of the lock.
   * @param action What was done without it.
   * @param actor Who did it.
   */
  constructor(readonly lock: string, readonly action: string, readonly actor: number) {
    super(`Cannot ${action}: actor ${actor} does not hold ${lock}`);
    this.name = "LockNotHeldError";
  }
}
