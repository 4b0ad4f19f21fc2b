import type { Era } from "./era.ts";
import { eventValues, type TraceEvent } from "./event.ts";
import type { Values } from "./symbols.ts";

/**
 * Prints the values of an event as the kernel of an era does: what follows `name: ` in a trace, without the location
 * that a kprobe prints first.
 *
 * @param event The event.
 * @param values Its named values, as {@linkcode parseEventText} returns them; a missing one counts as 0.
 * @param era The era.
 * @returns The text.
 * @throws {RangeError} If the event does not exist in the era.
 */
export function printEventValues(event: TraceEvent, values: Values, era: Era): string {
  const format = event.format(era);
  if (format === undefined) throw new RangeError(`Cannot print event '${event.name}': Linux ${era} does not have it`);
  return format.print(values);
}

/**
 * Prints the slots of an event as the kernel of an era does, see {@linkcode printEventValues}.
 *
 * @param event The event.
 * @param vcpu The vCPU, or -1.
 * @param args The slots, as given to `emit`.
 * @param era The era.
 * @returns The text.
 * @throws {RangeError} If the event does not exist in the era.
 */
export function printEvent(event: TraceEvent, vcpu: number, args: ArrayLike<number>, era: Era): string {
  return printEventValues(event, eventValues(event, vcpu, args, era), era);
}
