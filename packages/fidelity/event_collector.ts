import { eventNamed, type TraceEvent, type TraceRecord, type TraceSink } from "@mmu-lab/tracing";
import type { Place } from "./places.ts";

/** An event of the model, with what the frames are that it shows. */
export interface CollectedRecord extends TraceRecord {
  /** See `PlaceFinder`; none unless the collector was told to look. */
  readonly places: readonly (Place | undefined)[];
  /** What had been touched by then of what others share, if the collector was told to ask. */
  readonly touched: number;
}

/** Says what the frames are that an event shows. */
export type FindPlaces = (event: TraceEvent, args: readonly number[]) => readonly (Place | undefined)[];

/** A sink that keeps every event that somebody asks for, as long as it is told to. */
export class EventCollector implements TraceSink {
  readonly on: boolean = true;
  /** The events since the last {@linkcode EventCollector.clear}, or since somebody took them out. */
  readonly records: CollectedRecord[] = [];
  /** Asked about every event that is kept. */
  findPlaces: FindPlaces = () => [];
  /** Asked with every event that is kept for what has been touched, see {@linkcode CollectedRecord.touched}. */
  touches: () => number = () => 0;
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
    const places = this.findPlaces(event, args);
    this.records.push({ event, vcpu, sequence: this.records.length, args, places, touched: this.touches() });
  }

  #wants(event: TraceEvent): boolean {
    return this.#answers[event.id] ??= this.#wanted(event);
  }
}
