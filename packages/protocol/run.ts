import type { Execution } from "./execution.ts";
import type { Protocol } from "./step.ts";

/**
 * The sequential scheduler: drives one protocol straight through, as if no other CPU ran.
 *
 * @typeParam T The protocol's result.
 * @param execution The world in which it runs.
 * @param protocol The operation; it must not have been started.
 * @param actor Who performs it; 0 unless told.
 * @returns What the protocol returns.
 * @throws {DeadlockError} If a step has to wait: there is nobody who could end the wait.
 *
 * @example
 * ```ts
 * import { Execution, Lock, type Protocol, run } from "@mmu-lab/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const world = new Execution();
 * const lock = new Lock("mmu_lock", world);
 *
 * function* locked(): Protocol<string> {
 *   yield lock.acquire;
 *   const owner = lock.owner;
 *   yield lock.release;
 *   return `held by ${owner}`;
 * }
 *
 * assertEquals(run(world, locked(), 7), "held by 7");
 * ```
 */
export function run<T>(execution: Execution, protocol: Protocol<T>, actor: number = 0): T {
  execution.actor = actor;
  for (;;) {
    const { done, value } = protocol.next();
    if (done) return value;
    if (!value.enabled(actor)) throw new DeadlockError(actor, value.name);
    value.take(actor);
  }
}

/** An actor waits for something that nobody can bring about. */
export class DeadlockError extends Error {
  /**
   * Makes the error.
   *
   * @param actor Who waits.
   * @param step Name of the step it waits at.
   */
  constructor(readonly actor: number, readonly step: string) {
    super(`Cannot go on: actor ${actor} waits for ever at '${step}'`);
    this.name = "DeadlockError";
  }
}
