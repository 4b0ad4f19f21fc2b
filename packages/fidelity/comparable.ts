import { type MmioLayout, parseLanes } from "@mmu-lab/spte-encoding";
import {
  type Era,
  FAST_PAGE_FAULT,
  printEvent,
  stripProbeLocation,
  type TraceLine,
  TraceSyntaxError,
} from "@mmu-lab/tracing";
import type { CollectedRecord } from "./event_collector.ts";
import { type Level, levelOfEvent, TIMING_EXITS } from "./levels.ts";
import { maskFrames, showsFrames } from "./mask_frames.ts";
import type { Place } from "./places.ts";
import { bareNumbers } from "./probe_numbers.ts";

/** An event, of the kernel or of the model, in the form in which the two are compared. */
export interface Comparable {
  /** Name of the event. */
  readonly name: string;
  /** The lowest level that compares it. */
  readonly level: Level;
  /** The event as the kernel prints it, but for its frames: equal texts are equal events if the frames are, too. */
  readonly text: string;
  /** The event as the kernel prints it. */
  readonly whole: string;
  /** Of an event of the kernel: the frames that it shows, in order. */
  readonly frames: readonly (number | undefined)[];
  /** Of an event of the model: what these are. */
  readonly places: readonly (Place | undefined)[];
  /** Line of the recording, if it comes from one. */
  readonly line: number | undefined;
}

/** What is needed to read events. */
export interface ComparableContext {
  /** How the recorded kernel prints. */
  readonly era: Era;
  /** How its MMIO sptes look. */
  readonly layout: MmioLayout;
  /** Whether an entry maps memory or links a table. */
  isPresent(lo: number, hi: number): boolean;
  /** Whether its probes print `0x` although those of its era do not. */
  readonly bare: boolean;
  /** Whether it hides pointers: one that no probe tells of is compared with none. */
  readonly hidden: boolean;
  /** The file, for messages. */
  readonly file?: string;
}

const STORED_SPTE = / spte=(?:0x)?([0-9a-f]+)$/;
const EXIT_REASON = /reason (\S+)/;
const NONE: readonly undefined[] = [];

/**
 * Reads a line of a recording for comparison.
 *
 * @returns `undefined` for events that no level compares.
 * @throws {TraceSyntaxError} If an event that shows frames is not as the kernel prints it.
 */
export function comparableFromLine(line: TraceLine, context: ComparableContext): Comparable | undefined {
  const level = levelOfEvent(line.name);
  if (level === undefined) return undefined;
  const probe = line.text.startsWith("(");
  const stripped = probe ? stripProbeLocation(line.text) : line.text;
  const text = probe && context.bare ? bareNumbers(stripped) : stripped;
  return comparable(line.name, level, text, context, NONE, line.lineNumber);
}

/** Reads an event of the model for comparison; `undefined` for events that no level compares. */
export function comparableFromRecord(record: CollectedRecord, context: ComparableContext): Comparable | undefined {
  const { event } = record;
  const level = levelOfEvent(event.name);
  if (level === undefined || event.format(context.era) === undefined) return undefined;
  const text = printEvent(event, record.vcpu, record.args, context.era);
  return comparable(event.name, level, stripProbeLocation(text), context, record.places, undefined);
}

function comparable(
  name: string,
  level: Level,
  text: string,
  context: ComparableContext,
  places: readonly (Place | undefined)[],
  line: number | undefined,
): Comparable | undefined {
  if (isTimingExit({ name, text })) return undefined;
  if (!showsFrames(name)) return { name, level, text, whole: text, frames: NONE, places, line };
  const at = name === "mmu_spte_set" && !storesMmio(text, context.layout) ? 3 : level;
  const masked = maskFrames(name, text, context.isPresent, context.hidden && name === FAST_PAGE_FAULT.name);
  if (masked === undefined) {
    throw new TraceSyntaxError({ line: line ?? 0, ...fileOf(context) }, `${name} as the kernel prints it`, text);
  }
  return { name, level: at, text: masked.text, whole: text, frames: masked.frames, places, line };
}

/** Whether an event is an exit for an interrupt of the host. */
export function isTimingExit({ name, text }: Pick<TraceLine, "name" | "text">): boolean {
  return name === "kvm_exit" && TIMING_EXITS.includes(EXIT_REASON.exec(text)?.[1] ?? "");
}

function storesMmio(text: string, layout: MmioLayout): boolean {
  const spte = STORED_SPTE.exec(text)?.[1];
  if (spte === undefined) return false;
  const { lo, hi } = parseLanes(spte);
  return layout.isMmio(lo, hi);
}

function fileOf(context: ComparableContext): { file?: string } {
  return context.file === undefined ? {} : { file: context.file };
}
