import { type Era, ERAS } from "./era.ts";
import type { Field, Part } from "./field.ts";
import { compileFormat, type EventFormat } from "./format.ts";
import type { Values } from "./symbols.ts";

/** Where an event belongs: a tracepoint system of KVM, or a kprobe of the recorder. */
export type EventSystem = "kvm" | "kvmmmu" | "probe";

/**
 * The print formats of an event. A format holds from its era on, until the next that is named; `null` says that the
 * event is gone. Without an entry for the first era, the event does not exist yet.
 */
export type EventFormats = Readonly<Partial<Record<Era, string | null>>>;

/** A tracepoint as data. Made by {@linkcode defineEvent}; compare by identity. */
export interface TraceEvent {
  /** Dense index, in order of definition. Not stable from one release of this package to the next. */
  readonly id: number;
  /** Where it belongs. */
  readonly system: EventSystem;
  /** The kernel's name of it. */
  readonly name: string;
  /** Its fields, in the order of the slots of `emit`. */
  readonly fields: readonly Field[];
  /** How many slots of `emit` the fields take: at most 8. */
  readonly slots: number;
  /** What a kprobe prints before its fields, in parentheses; absent for tracepoints. */
  readonly location?: string;
  /** The print format of an era, or `undefined` if the event does not exist in it. Compiled once. */
  format(era: Era): EventFormat | undefined;
}

/** How many slots an event may take: the arguments of `emit` after the vCPU. */
export const MAX_SLOTS = 8;

const events: TraceEvent[] = [];
const eventsByName = new Map<string, TraceEvent>();

/**
 * Defines an event.
 *
 * @param system Where it belongs.
 * @param name The kernel's name of it, not yet taken.
 * @param fields Its fields.
 * @param formats How it prints, see {@linkcode EventFormats} and {@linkcode compileFormat}.
 * @param location For a kprobe: the function it sits on, as printed.
 * @returns The event.
 * @throws {RangeError} If the name is taken, or the fields need more than {@linkcode MAX_SLOTS} slots.
 * @throws {TypeError} If a format is malformed.
 */
export function defineEvent(
  system: EventSystem,
  name: string,
  fields: readonly Field[],
  formats: EventFormats,
  location?: string,
): TraceEvent {
  const slots = fields.reduce((sum, field) => sum + field.slots, 0);
  if (eventsByName.has(name)) throw new RangeError(`Cannot define event '${name}': the name is taken`);
  if (slots > MAX_SLOTS) throw new RangeError(`Cannot define event '${name}': ${slots} slots, at most ${MAX_SLOTS}`);
  const parts = new Map(fields.flatMap((field) => field.parts).map((part): [string, Part] => [part.name, part]));
  const sptepNames = new Set(fields.filter((field) => field.kind === "sptep").map((field) => field.name));
  const compiled = new Map<Era, EventFormat>();
  let source: string | null = null;
  for (const era of ERAS) {
    const changed = formats[era];
    if (changed !== undefined) source = changed;
    if (source !== null) compiled.set(era, compileFormat(source, parts, sptepNames, era));
  }
  const event: TraceEvent = {
    id: events.length,
    system,
    name,
    fields,
    slots,
    ...(location === undefined ? {} : { location }),
    format: (era) => compiled.get(era),
  };
  events.push(event);
  eventsByName.set(name, event);
  return event;
}

/** The event of a name, if it is defined. */
export function eventNamed(name: string): TraceEvent | undefined {
  return eventsByName.get(name);
}

/**
 * The event of an {@linkcode TraceEvent.id | id}.
 *
 * @throws {RangeError} If no event has it.
 */
export function eventById(id: number): TraceEvent {
  const event = events[id];
  if (event === undefined) throw new RangeError(`Cannot find event ${id}: ${events.length} are defined`);
  return event;
}

/** Every event defined so far, by id. */
export function allEvents(): readonly TraceEvent[] {
  return events;
}

/** The named values of an event's slots. */
export function eventValues(event: TraceEvent, vcpu: number, args: ArrayLike<number>, era: Era): Values {
  const values: Values = {};
  let at = 0;
  for (const field of event.fields) {
    for (const part of field.parts) values[part.name] = field.kind === "vcpu" ? vcpu : part.get(args, at, era);
    at += field.slots;
  }
  return values;
}

/** The slots of an event's named values; what is missing is 0, a missing vCPU -1. */
export function eventSlots(event: TraceEvent, values: Values, era: Era): { vcpu: number; args: number[] } {
  const args = new Array<number>(event.slots).fill(0);
  let vcpu = -1;
  let at = 0;
  for (const field of event.fields) {
    for (const part of field.parts) {
      const value = values[part.name];
      if (value === undefined) continue;
      if (field.kind === "vcpu") vcpu = Number(value);
      else part.put(value, args, at, era);
    }
    at += field.slots;
  }
  return { vcpu, args };
}
