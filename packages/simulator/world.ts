/**
 * The contract of what a simulator simulates: a few actors, each a protocol, with the locks they share. A world of the
 * explorer is one as it stands.
 *
 * @module
 */
import type { Execution, Lock, Protocol } from "@mmu-lab/protocol";

/** What an actor may ask the simulation, and tell it. Each actor has its own. */
export interface Clock {
  /** The actor's virtual time: cycles since the simulation began, with the work that it has done up to this moment. */
  readonly now: number;
  /**
   * Records how long something took, in a histogram for the kind and one for the kind and this actor.
   *
   * @param kind What it was, in a word or two, such as `MMIO access`.
   * @param cycles How long it took: a non-negative integer.
   */
  record(kind: string, cycles: number): void;
}

/** Somebody who acts in virtual time. */
export interface TimedActor {
  /** A name for people, such as `vCPU 0`. */
  readonly name: string;
  /**
   * Whether the simulation may end while this one still acts, as it does for background work that never ends. No unless
   * told.
   */
  readonly background?: boolean;
  /** Begins what the actor does. Nothing of it may happen before the protocol is first resumed. */
  start(clock: Clock): Protocol<unknown>;
}

/** A world in its initial state. It is used up by a simulation. */
export interface TimedWorld {
  /** Who runs now, and the work done. The actors have the ids 0, 1, ... of their place in `actors`. */
  readonly execution: Execution;
  /** Who acts. */
  readonly actors: readonly TimedActor[];
  /** The locks to report on; all of them queue, whether named here or not. */
  readonly locks: readonly Lock[];
}
