import type { TraceEvent } from "./event.ts";

/**
 * Where events go. The model asks {@linkcode TraceSink.on | on} first, so that a disabled trace costs one test:
 *
 * ```ts ignore
 * if (sink.on) sink.emit(MARK_MMIO_SPTE, vcpu, sptep, gfn, access, gen);
 * ```
 */
export interface TraceSink {
  /** Whether events are wanted now. */
  readonly on: boolean;

  /**
   * Takes an event. Must not throw, must not call back into the model, and must not be called while `on` is false.
   *
   * @param event The event.
   * @param vcpu The vCPU it happens on, or -1.
   * @param a The first slot of its fields, see {@linkcode FieldKind} for what a field puts there.
   * @param b The second slot, and so on; a slot left out is 0.
   */
  emit(
    event: TraceEvent,
    vcpu: number,
    a?: number,
    b?: number,
    c?: number,
    d?: number,
    e?: number,
    f?: number,
    g?: number,
    h?: number,
  ): void;
}

/** An event that happened. */
export interface TraceRecord {
  /** The event. */
  readonly event: TraceEvent;
  /** The vCPU it happened on, or -1. */
  readonly vcpu: number;
  /** Its number, counted from 0 over everything emitted to the sink. */
  readonly sequence: number;
  /** Its slots, as many as its fields take. */
  readonly args: number[];
}
