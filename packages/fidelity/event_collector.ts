import { eventNamed, type TraceEvent, type TraceRecord, type TraceSink } from "@mmu-lab/tracing";

/** A sink that keeps every event that somebody asks for, as long as it is told to. */
export class EventCollector implements TraceSink {
  readonly on: boolean = true;
  /** The events since the last {@linkcode EventCollector.clear}, or since somebody took them out. */
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

  /** Whether an event of that name would be kept. */
  wants(name: string): boolean {
    const event = eventNamed(name);
    return event !== undefined && this.#wants(event);
  }

  emit(event: TraceEvent, vcpu: number, ...args: number[]): void {
    if (!this.#wants(event)) return;
    while (args.length < event.slots) args.push(0);
    this.records.push({ event, vcpu, sequence: this.records.length, args });
  }

  #wants(event: TraceEvent): boolean {
    return this.#answers[event.id] ??= this.#wanted(event);
  }
}
