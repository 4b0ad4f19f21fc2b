/**
 * The contract of everything that can interleave: a {@linkcode Protocol} is an operation written once, as a generator
 * that yields a {@linkcode Step} wherever another CPU could run. A scheduler decides who goes next; the operation
 * does not know which scheduler drives it.
 *
 * Plain code between two yields is atomic. Steps are shared, long-lived objects: a yield allocates no step.
 *
 * @module
 */

/** An operation that can interleave with others; `T` is its result. */
export type Protocol<T> = Generator<Step, T, void>;

/** One moment at which another actor may run before this one goes on. */
export interface Step {
  /** What the actor is about to do, in the kernel's words, for schedules and stories. */
  readonly name: string;
  /**
   * That nobody can tell whether another actor ran between this step and the one before it (`before`) or after it
   * (`after`) of the same actor: an explorer may then take the two as one. `before` is for steps that only let others go
   * on, such as leaving a read section, or touch nothing shared, and whose code up to the next yield touches nothing
   * shared either; `after` for steps that only hold others up, such as entering one. Lipton's left and right movers
   * (CACM 1975).
   */
  readonly joins?: "before" | "after";
  /**
   * What the step itself touches, see `touches.ts`, and what decides whether it may be taken; nothing unless told. What
   * the code after it touches, it says itself, in `Execution.touched`.
   */
  readonly touches?: number;
  /**
   * Whether `actor` may take the step now. A lock that somebody holds, or a grace period that still has readers, says
   * no; the actor then waits. Must not change anything.
   */
  enabled(actor: number): boolean;
  /**
   * Takes the step for `actor`. Must never be called while {@linkcode Step.enabled} says no. The code that follows
   * the yield runs next, before any other actor.
   */
  take(actor: number): void;
}
