import { type Era, ERAS } from "./era.ts";
import { eventNamed, type TraceEvent } from "./event.ts";
import "./events_kvm.ts";
import "./events_kvmmmu.ts";
import "./probes.ts";
import type { Values } from "./symbols.ts";
import { type TracePosition, TraceSyntaxError } from "./trace_syntax_error.ts";

/** An event read from text. */
export interface ParsedEvent {
  /** The event. */
  readonly event: TraceEvent;
  /** The era whose format matched: the one asked for, if it did. */
  readonly era: Era;
  /** The values: numbers below 2^53, names, and `0x…` for numbers from 2^53 on. */
  readonly values: Values;
}

/**
 * Drops what a kprobe prints before its fields: `(function+offset/size) ` or `(caller <- function) `.
 *
 * @param text The text of a kprobe event.
 * @returns The text of the fields.
 */
export function stripProbeLocation(text: string): string {
  if (!text.startsWith("(")) return text;
  const end = text.indexOf(")");
  if (end < 0) return text;
  return text.slice(text.charCodeAt(end + 1) === 32 ? end + 2 : end + 1);
}

/**
 * Reads the text of an event: what follows `name: ` in a trace. Formats of the era are tried first, then those of the
 * other eras, oldest first.
 *
 * @param name Name of the event.
 * @param text Its text.
 * @param era The era of the kernel that printed it.
 * @param position For messages: where the text stands.
 * @returns The event and its values, or `undefined` if no event of that name is defined.
 * @throws {TraceSyntaxError} If the event is defined but the text matches no format of it.
 */
export function parseEventText(
  name: string,
  text: string,
  era: Era,
  position?: TracePosition,
): ParsedEvent | undefined {
  const event = eventNamed(name);
  if (event === undefined) return undefined;
  const body = event.system === "probe" ? stripProbeLocation(text) : text;
  const values = event.format(era)?.parse(body);
  if (values !== undefined) return { event, era, values };
  for (const other of ERAS) {
    const otherValues = event.format(other)?.parse(body);
    if (otherValues !== undefined) return { event, era: other, values: otherValues };
  }
  const format = event.format(era) ?? ERAS.map((other) => event.format(other)).find((other) => other !== undefined);
  throw new TraceSyntaxError(position ?? { line: 0 }, `'${name}: ${format?.source ?? ""}'`, text);
}
