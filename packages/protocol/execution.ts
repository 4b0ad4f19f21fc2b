import { StateHasher } from "./state_hasher.ts";
import { WorkCounters } from "./work_counters.ts";

/**
 * What the actors of one world share with the scheduler that drives them: who runs now, the work done, and what each
 * actor has seen. Locks and SRCU domains of a world are made with its execution.
 */
export class Execution {
  /** The actor whose code runs now; a scheduler sets it before it resumes a protocol. */
  actor = 0;
  /**
   * What has been touched of shared state: code that reads or changes any adds it, whether somebody looks or not. A
   * scheduler that looks sets it to nothing before each step.
   */
  touched = 0;
  /** Work done in this world, by all actors. */
  readonly counters: WorkCounters = new WorkCounters();
  /** Digests of what each actor has observed; `undefined` until a scheduler asks for them. */
  #seen: StateHasher[] | undefined;

  /**
   * Begins to keep digests of observations. An explorer that recognizes states it has met needs them: what an actor
   * holds in local variables is a function of what it has observed.
   *
   * @param actors How many actors there are; their ids are 0 to `actors - 1`.
   */
  keepObservations(actors: number): void {
    this.#seen = Array.from({ length: actors }, () => new StateHasher());
  }

  /** Whether anybody asked for observations, so that it is worth making them. */
  get keepsObservations(): boolean {
    return this.#seen !== undefined;
  }

  /**
   * Says that the running actor has read `value` from shared state and keeps it, or something made of it, in a local
   * variable beyond its next step. Costs a comparison where nobody keeps digests.
   */
  observe(value: number): void {
    if (this.#seen !== undefined) this.#seen[this.actor]?.add(value);
  }

  /** Says that the running actor has no local state left from before: its observations begin anew. */
  forget(): void {
    this.#seen?.[this.actor]?.reset();
  }

  /**
   * Says that the running actor, and whoever called it, needs nothing of what it has observed but these two numbers.
   *
   * @param other 0 if one number is all.
   */
  keepOnly(value: number, other: number = 0): void {
    const seen = this.#seen?.[this.actor];
    if (seen === undefined) return;
    seen.reset();
    seen.add(value).add(other);
  }

  /**
   * Says that the running actor begins a loop anew: what it has observed since `digest` is in no local variable any more.
   *
   * @param digest What {@linkcode Execution.observed} gave for it before the loop.
   */
  beginAnew(digest: number): void {
    this.#seen?.[this.actor]?.reset();
    this.observe(digest);
  }

  /** Digest of what an actor has observed since it last forgot. */
  observed(actor: number): number {
    return this.#seen?.[actor].value ?? 0;
  }
}
