import type { Histogram } from "./histogram.ts";

/** How long something was waited for. All times in cycles. */
export interface WaitReport {
  /** Name of the step. */
  readonly name: string;
  /** How often somebody had to wait. */
  readonly count: number;
  /** Sum of all waits. */
  readonly total: number;
  /** The longest wait. */
  readonly longest: number;
}

/** What became of a lock. All times in cycles. */
export interface LockReport {
  /** Its name. */
  readonly name: string;
  /** How often it was taken. */
  readonly acquisitions: number;
  /** How often somebody had to wait for it. */
  readonly contended: number;
  /** Sum of the waits of all who took it. */
  readonly totalWait: number;
  /** The longest wait. */
  readonly longestWait: number;
  /** How long it was held, all holds together. */
  readonly totalHold: number;
  /** The longest hold. */
  readonly longestHold: number;
}

/** What an actor did with its time, in cycles: `busy + waited + delayed` is when it ended. */
export interface ActorReport {
  /** Its name. */
  readonly name: string;
  /** Whether it ended. */
  readonly done: boolean;
  /** Its clock when it ended, or when the simulation did. */
  readonly clock: number;
  /** Cycles of the work that it did. */
  readonly busy: number;
  /** Cycles for which it waited for others: for locks, for readers. */
  readonly waited: number;
  /** Cycles that it let go by of its own accord. */
  readonly delayed: number;
  /** What it recorded, by kind. */
  readonly operations: Readonly<Record<string, Histogram>>;
}

/** What came of a simulation, as data. All times are virtual, in cycles. */
export interface SimulationReport {
  /** Whether all actors ended, but for those in the background; no if the simulation was told to stop before. */
  readonly completed: boolean;
  /** When the last actor that is not in the background ended, or when the simulation was told to stop. */
  readonly cycles: number;
  /** Steps that were taken. */
  readonly steps: number;
  /** What the actors recorded, all together, by kind. */
  readonly operations: Readonly<Record<string, Histogram>>;
  /** Each actor, in their order. */
  readonly actors: readonly ActorReport[];
  /** The locks of the world, in their order. */
  readonly locks: readonly LockReport[];
  /** Waits at steps that belong to none of these locks, in the order of first waits. */
  readonly waits: readonly WaitReport[];
}

/**
 * How many operations of a kind were done in a million cycles, until the last of those who recorded any was done.
 *
 * @param report What came of a simulation. @param kind What they recorded.
 */
export function throughputOf(report: SimulationReport, kind: string): number {
  const those = report.actors.filter(({ operations }) => Object.hasOwn(operations, kind));
  const cycles = Math.max(0, ...those.map(({ clock }) => clock));
  return cycles === 0 ? 0 : (report.operations[kind].count * 1e6) / cycles;
}
