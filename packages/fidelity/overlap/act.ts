/**
 * What operations that overlap are made of when the model carries them out. A recording tells which event of which thread
 * came first; it does not tell when between two events of its thread something happened that has no event of its own.
 *
 * @module
 */
import { conflict, LOCKS, reads, SRCU_READERS, writes } from "@mmu-lab/protocol";
import type { RecordedStretch } from "@mmu-lab/workloads";

/** What the model does between two steps of an operation, at once. */
export interface Act {
  /** Index of its operation in the stretch. */
  readonly operation: number;
  /** Its number in the operation, from 0. */
  readonly number: number;
  /** The turn in which it happened: an index into the stretch's `order`. */
  readonly turn: number;
  /** What it touched of what others share (`touches.ts` of `@mmu-lab/protocol`). */
  readonly touched: number;
}

/**
 * Acts that happen elsewhere than {@linkcode followOrder} would have them: by the line on which an operation begins, by
 * the number of the act, the turn. The act has happened when that turn comes, and has not before.
 */
export type Placements = ReadonlyMap<number, ReadonlyMap<number, number>>;

/** Locks and readers, which only say who may go on when: what matters is what is read or written. */
const WHO_MAY_GO_ON = reads(LOCKS) | writes(LOCKS) | reads(SRCU_READERS) | writes(SRCU_READERS);

/** Whether the order of two acts matters: one changes what the other reads or changes. */
export function touchTheSame(a: number, b: number): boolean {
  return conflict(a & ~WHO_MAY_GO_ON, b & ~WHO_MAY_GO_ON);
}

/** No act happens elsewhere. */
export const NO_PLACEMENTS: Placements = new Map();

/**
 * What is known of the steps of protocols: whether code that follows one has ever told of an event. By the names of the
 * step before it and of its own: the same step in another place is another.
 */
export type TellingSteps = Map<string, boolean>;

/** An operation, of several that overlap, that the model did not carry out as the kernel did. */
export interface Difference {
  /** The operations that overlap. */
  readonly stretch: RecordedStretch;
  /** Index of the one that differs. */
  readonly operation: number;
  /** The line of its last event that agrees before the first that does not; of its first marker if none does. */
  readonly line: number;
  /** What the model has done in the stretch so far, in order. */
  readonly acts: readonly Act[];
}

/**
 * An act is placed where it cannot have happened: behind an event of the kernel that comes after it, or before one that it
 * comes after.
 */
export class MisplacedActError extends Error {
  /** Makes the error. */
  constructor({ number, turn }: Pick<Act, "number" | "turn">) {
    super(`Cannot place act ${number} in turn ${turn}: an event of its thread shows that it happened at another time`);
    this.name = "MisplacedActError";
  }
}
