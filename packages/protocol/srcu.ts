import type { Execution } from "./execution.ts";
import type { Protocol, Step } from "./step.ts";
import type { StateHasher } from "./state_hasher.ts";
import { reads, SRCU_READERS, writes } from "./touches.ts";
import { Work } from "./work_counters.ts";

/** Readers come and go in any order: it comes to the same counts. */
const ENTERS_OR_LEAVES = reads(SRCU_READERS);

/**
 * Sleepable read-copy-update, as `kvm->srcu`: readers mark a section, an updater waits for the sections that began
 * before it started to wait, and not for later ones. The mechanism is the kernel's, two reader counts of which one is
 * current (kernel/srcu.c, 3.11); that the flip is one atomic act is a modelling choice.
 */
export class Srcu {
  /** The step that begins a read section of the actor; an actor has at most one. */
  readonly readLock: Step;
  /** The step that ends the actor's read section. */
  readonly readUnlock: Step;
  readonly #waitForReaders: Step;
  readonly #readers: [number, number] = [0, 0];
  readonly #sideOf: number[] = [];
  readonly #execution: Execution;
  #current: 0 | 1 = 0;

  /**
   * Makes a domain without readers.
   *
   * @param name The kernel's name of the domain.
   * @param execution The world it belongs to.
   */
  constructor(name: string, execution: Execution) {
    this.#execution = execution;
    this.readLock = Object.freeze({
      name: `srcu_read_lock ${name}`,
      joins: "after",
      touches: ENTERS_OR_LEAVES,
      enabled: () => true,
      take: (actor: number) => this.#enter(actor),
    });
    this.readUnlock = Object.freeze({
      name: `srcu_read_unlock ${name}`,
      joins: "before",
      touches: ENTERS_OR_LEAVES,
      enabled: () => true,
      take: (actor: number) => this.#leave(actor),
    });
    this.#waitForReaders = Object.freeze({
      name: `wait for readers of ${name}`,
      touches: writes(SRCU_READERS),
      enabled: () => this.#readers[1 - this.#current] === 0,
      take: () => {},
    });
  }

  /** Whether the actor is inside a read section. */
  isReading(actor: number): boolean {
    return (this.#sideOf[actor] ?? -1) >= 0;
  }

  /**
   * Waits until every read section that is open now has ended (`synchronize_srcu_expedited`). One updater at a time:
   * callers hold `slots_lock`, as in the kernel.
   */
  *synchronize(): Protocol<void> {
    this.#execution.counters.counts[Work.gracePeriods]++;
    this.#execution.touched |= writes(SRCU_READERS);
    this.#current = this.#current === 0 ? 1 : 0;
    yield this.#waitForReaders;
  }

  /** Whether the last grace period that began waits, or would have waited, for the section that the actor is inside. */
  isWaitedFor(actor: number): boolean {
    return this.#sideOf[actor] === 1 - this.#current;
  }

  /** Folds the state of the domain into a hash, but for who reads. */
  hashInto(hasher: StateHasher): void {
    hasher.add(this.#current).add(this.#readers[0]).add(this.#readers[1]);
  }

  /** Which of the two reader counts an actor is counted in, 0 or 1, or -1 outside a section. */
  sideOf(actor: number): number {
    return this.#sideOf[actor] ?? -1;
  }

  #enter(actor: number): void {
    if (this.isReading(actor)) throw new Error(`Cannot enter the SRCU section: actor ${actor} is inside one`);
    this.#sideOf[actor] = this.#current;
    this.#readers[this.#current]++;
  }

  #leave(actor: number): void {
    if (!this.isReading(actor)) throw new Error(`Cannot leave the SRCU section: actor ${actor} is not inside one`);
    this.#readers[this.#sideOf[actor]]--;
    this.#sideOf[actor] = -1;
  }
}
