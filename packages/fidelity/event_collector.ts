import type { TraceEvent, TraceRecord, TraceSink } from "@mmu-lab/tracing";

/** A sink that keeps every event that somebody asks for, as long as it is told to. */
export class EventCollector implements TraceSink {
  readonly on: boolean = true;
  /** The events since the last {@linkcode EventCollector.clear}. */
  readonly records: TraceRecord[] = [];
  #wanted: (event: TraceEvent) => boolean = () => true;
  /** What `#wanted` says, by event id; asked once an event. */
  #answers: (boolean | undefined)[] = [];

  /** Forgets all events, and keeps from now on those that `wanted` says. */
  clear(wanted: (event: TraceEvent) => boolean): void {
    this.records.length = 0;
    this.#wanted = wanted;
    this.#answers = [];
  }

  emit(event: TraceEvent, vcpu: number, ...args: number[]): void {
    const wanted = this.#answers[event.id] ??= this.#wanted(event);
    if (!wanted) return;
    while (args.length < event.slots) args.push(0);
    this.records.push({ event, vcpu, sequence: this.records.length, args });
  }
}
