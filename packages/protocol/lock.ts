import type { Execution } from "./execution.ts";
import type { Step } from "./step.ts";
import { LOCKS, reads, writes } from "./touches.ts";
import { Work } from "./work_counters.ts";

const NOBODY = -1;

/**
 * A spin lock. Take it with `yield lock.acquire`, give it back with `yield lock.release`; a scheduler lets the actor
 * past `acquire` when nobody holds the lock. It measures how much work is done while it is held.
 *
 * It may also be taken to read, with `yield lock.acquireRead` and `yield lock.releaseRead`: by any number of actors at
 * once, while nobody holds it to write (KVM's `mmu_lock` is such a lock from 5.12 on). Who comes next is the scheduler's
 * choice: a writer that waits does not hold up readers (modelling choice; the kernel's lock is fair).
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
  /** The step that takes the lock to read; waits while somebody holds it to write. */
  readonly acquireRead: Step;
  /** The step that gives back a lock taken to read. */
  readonly releaseRead: Step;
  /** As {@linkcode Lock.acquireRead}, under the condition of {@linkcode Lock.enter}. */
  readonly enterRead: Step;
  /** As {@linkcode Lock.releaseRead}, under the condition of {@linkcode Lock.leave}. */
  readonly leaveRead: Step;
  /** Work units done under the lock so far, all holds together. */
  heldUnits = 0;
  /** Work units of the longest single hold. */
  longestHoldUnits = 0;
  #owner = NOBODY;
  #unitsAtAcquire = 0;
  /** Those who hold the lock to read, and the work done when each took it. */
  readonly #readers: Map<number, number> = new Map();
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
      enabled: () => this.#owner === NOBODY && this.#readers.size === 0,
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
    // Readers may come and go in any order among each other, so a reader only reads who holds the lock.
    const acquireRead = {
      name: `acquire ${name} to read`,
      touches: reads(LOCKS),
      enabled: () => this.#owner === NOBODY,
      take: (actor: number) => this.#takeRead(actor),
    };
    const releaseRead = {
      name: `release ${name} (read)`,
      touches: reads(LOCKS),
      enabled: () => true,
      take: (actor: number) => this.#giveRead(actor),
    };
    this.acquireRead = Object.freeze(acquireRead);
    this.releaseRead = Object.freeze(releaseRead);
    this.enterRead = Object.freeze({ ...acquireRead, joins: "after" as const });
    this.leaveRead = Object.freeze({ ...releaseRead, joins: "before" as const });
  }

  /** Whether the actor that runs now holds the lock. */
  get heldByCurrent(): boolean {
    return this.#owner === this.#execution.actor;
  }

  /** The actor that holds the lock to write, or -1. */
  get owner(): number {
    return this.#owner;
  }

  /** Whether a step takes the lock, to write or to read. */
  isTakenBy(step: Step): boolean {
    return step === this.acquire || step === this.enter || step === this.acquireRead || step === this.enterRead;
  }

  /** How an actor holds the lock. */
  heldBy(actor: number): "write" | "read" | undefined {
    if (this.#owner === actor) return "write";
    return this.#readers.has(actor) ? "read" : undefined;
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

  /**
   * Asserts that the running actor holds the lock, to write or to read.
   *
   * @param action What needs the lock, for the message.
   * @throws {LockNotHeldError} If the running actor does not hold it.
   */
  assertHeldToRead(action: string): void {
    const { actor } = this.#execution;
    if (this.heldBy(actor) === undefined) throw new LockNotHeldError(this.name, action, actor);
  }

  #take(actor: number): void {
    const { counters } = this.#execution;
    counters.counts[Work.lockAcquisitions]++;
    this.#owner = actor;
    this.#unitsAtAcquire = counters.units();
  }

  #give(actor: number): void {
    if (this.#owner !== actor) throw new LockNotHeldError(this.name, `release ${this.name}`, actor);
    this.#measure(this.#unitsAtAcquire);
    this.#owner = NOBODY;
  }

  #takeRead(actor: number): void {
    const { counters } = this.#execution;
    counters.counts[Work.lockAcquisitions]++;
    this.#readers.set(actor, counters.units());
  }

  #giveRead(actor: number): void {
    const since = this.#readers.get(actor);
    if (since === undefined) throw new LockNotHeldError(this.name, `release ${this.name} (read)`, actor);
    this.#measure(since);
    this.#readers.delete(actor);
  }

  #measure(since: number): void {
    const held = this.#execution.counters.units() - since;
    this.heldUnits += held;
    if (held > this.longestHoldUnits) this.longestHoldUnits = held;
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
