import type { Step } from "@mmu-lab/protocol";

/** A step that takes time and does nothing. Other schedulers than the simulator take it for a point. */
export class Delay implements Step {
  /** `delay`. */
  readonly name: string = "delay";

  /**
   * Makes the step; see {@linkcode delay}.
   *
   * @param cycles How long it takes.
   */
  constructor(readonly cycles: number) {}

  /** Whether the actor may go on: always. */
  enabled(): boolean {
    return true;
  }

  /** Changes nothing. */
  take(): void {}
}

/**
 * Lets virtual time go by: the guest thinks, a thread sleeps.
 *
 * @param cycles How long; a non-negative integer.
 * @returns A step to yield. One that is needed often may be made once and yielded again.
 * @throws {RangeError} If `cycles` is not such a number.
 *
 * @example
 * ```ts
 * import { Execution, point, type Protocol } from "@mmu-lab/protocol";
 * import { COST_PRESETS, costsOf, delay, simulate } from "@mmu-lab/simulator";
 * import { assertEquals } from "@std/assert";
 *
 * function* sleeper(): Protocol<void> {
 *   yield delay(1000);
 *   yield point("awake");
 * }
 *
 * const actors = [{ name: "sleeper", start: sleeper }];
 * const costs = costsOf(COST_PRESETS["nehalem-2011"]);
 * assertEquals(simulate({ execution: new Execution(), actors, locks: [] }, { costs }).cycles, 1000);
 * ```
 */
export function delay(cycles: number): Step {
  if (!Number.isSafeInteger(cycles) || cycles < 0) {
    throw new RangeError(`Cannot wait ${cycles} cycles: expected a non-negative integer`);
  }
  return new Delay(cycles);
}
