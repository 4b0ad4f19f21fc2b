/**
 * The contract of what an explorer explores: a world of a few actors, small on purpose, that can be made anew as often
 * as needed and always begins the same.
 *
 * @module
 */
import type { Execution, Lock, Protocol, StateHasher } from "@mmu-lab/protocol";

/** Somebody who acts in a world. */
export interface Actor {
  /** A name for stories, such as `vCPU 0`. */
  readonly name: string;
  /** Whether it goes on for ever: a run is over when all others are done. Nobody else may go round for ever beside it. */
  readonly endless?: boolean;
  /** Begins what the actor does. Nothing of it may happen before the protocol is first resumed. */
  start(): Protocol<unknown>;
}

/** A world in its initial state. */
export interface World {
  /** Who runs now, and what each has seen. The actors have the ids 0, 1, ... of their place in `actors`. */
  readonly execution: Execution;
  /** Who acts; at most 26. */
  readonly actors: readonly Actor[];
  /** All locks, so that their order, and that none is held at the end, can be checked. */
  readonly locks: readonly Lock[];
  /**
   * Folds everything shared that a later step could read, or a property could look at, into a hash. What actors hold in
   * local variables need not enter: it is a function of what they have observed (`Execution.observe`).
   */
  hashInto(hasher: StateHasher): void;
  /**
   * Folds what belongs to one actor alone, and names no actor, into a hash. Needed where actors are interchangeable.
   */
  hashActor?(actor: number, hasher: StateHasher): void;
  /**
   * Actors that do the same and may be swapped: states that differ only in which of them is where are the same.
   * `hashInto` must then leave out whatever tells them apart, and `hashActor` fold it in.
   */
  readonly interchangeable?: readonly number[];
  /**
   * Whether an actor's steps say what they touch of shared state (`Execution.touched`), the properties included: then
   * steps that do not conflict need not be tried in both orders. Unless told, every step touches everything.
   * `auditTouches` compares the claim with what happens.
   */
  saysWhatItTouches?(actor: number): boolean;
  /** What {@linkcode World.violation} and {@linkcode World.finalViolation} look for, in a few words each. */
  readonly properties?: readonly string[];
  /**
   * What is wrong now, or `undefined`. Asked after every step.
   *
   * @returns A sentence that names the property and what broke it.
   */
  violation(): string | undefined;
  /** What is wrong once all actors are done; asked then, after {@linkcode World.violation}. */
  finalViolation?(): string | undefined;
  /** The shared state worth telling in a story, in a few words, such as `generation 7`. */
  describe?(): string;
}

/** Makes a world in its initial state: always the same. */
export type WorldFactory = () => World;
