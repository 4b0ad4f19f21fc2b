import type { Protocol, Step } from "@mmu-lab/protocol";
import { Histogram } from "./histogram.ts";
import type { CostMeter } from "./cost_model.ts";
import type { ActorReport } from "./report.ts";
import type { Clock, TimedActor } from "./world.ts";

/** Cycles of all work that has been charged to somebody. */
export interface Charged {
  cycles: number;
}

/** One actor in virtual time: its protocol, what it waits for, and what it did with its time. */
export class TimedRun implements Clock {
  readonly isBackground: boolean;
  /** The step it takes next; `undefined` once it is done. */
  pending: Step | undefined = undefined;
  /** Whether the pending step has been taken already, at the end of a wait. */
  taken = false;
  /** When it came to the pending step. */
  arrived = 0;
  readonly #name: string;
  readonly #index: number;
  readonly #clocks: Float64Array;
  readonly #meter: CostMeter;
  readonly #charged: Charged;
  readonly #protocol: Protocol<unknown>;
  readonly #operations: Map<string, Histogram> = new Map();
  #busy = 0;
  #waited = 0;
  #delayed = 0;

  constructor(actor: TimedActor, index: number, clocks: Float64Array, meter: CostMeter, charged: Charged) {
    this.#name = actor.name;
    this.isBackground = actor.background ?? false;
    this.#index = index;
    this.#clocks = clocks;
    this.#meter = meter;
    this.#charged = charged;
    this.#protocol = actor.start(this);
  }

  get now(): number {
    return this.#clocks[this.#index] + this.#meter.total() - this.#charged.cycles;
  }

  record(kind: string, cycles: number): void {
    let histogram = this.#operations.get(kind);
    if (histogram === undefined) this.#operations.set(kind, histogram = new Histogram());
    histogram.record(cycles);
  }

  /** Runs the code up to the next step. */
  resume(): void {
    this.taken = false;
    const { done, value } = this.#protocol.next();
    this.pending = done ? undefined : value as Step;
  }

  /** Moves the clock on by the work that has been done since somebody was last charged. */
  charge(): void {
    const cycles = this.#meter.total() - this.#charged.cycles;
    this.#charged.cycles += cycles;
    this.#clocks[this.#index] += cycles;
    this.#busy += cycles;
  }

  /** Moves the clock on to the end of a wait. */
  waitUntil(time: number): void {
    this.#waited += time - this.#clocks[this.#index];
    this.#clocks[this.#index] = time;
  }

  /** Moves the clock on of the actor's own accord. */
  delay(cycles: number): void {
    this.#delayed += cycles;
    this.#clocks[this.#index] += cycles;
  }

  /** Adds what it recorded to histograms by kind. */
  mergeInto(operations: Record<string, Histogram>): void {
    for (const [kind, histogram] of this.#operations) (operations[kind] ??= new Histogram()).merge(histogram);
  }

  report(): ActorReport {
    return {
      name: this.#name,
      done: this.pending === undefined,
      clock: this.#clocks[this.#index],
      busy: this.#busy,
      waited: this.#waited,
      delayed: this.#delayed,
      operations: Object.fromEntries(this.#operations),
    };
  }
}
