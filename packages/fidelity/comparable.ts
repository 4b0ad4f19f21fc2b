import { type MmioLayout, parseLanes } from "@mmu-lab/spte-encoding";
import {
  type Era,
  printEvent,
  stripProbeLocation,
  type TraceLine,
  type TraceRecord,
  TraceSyntaxError,
} from "@mmu-lab/tracing";
import { type Level, levelOfEvent, TIMING_EXITS } from "./levels.ts";

/** An event, of the kernel or of the model, in the form in which the two are compared. */
export interface Comparable {
  /** Name of the event. */
  readonly name: string;
  /** The lowest level that compares it. */
  readonly level: Level;
  /** The event as the kernel prints it, but for its spte pointer: equal texts are equal events. */
  readonly text: string;
  /** The page of the spte pointer, if there is one: a frame of the recorded machine, or a serial of the model. */
  readonly page: number | undefined;
  /** Index of the spte in that page. */
  readonly index: number | undefined;
  /** Line of the recording, if it comes from one. */
  readonly line: number | undefined;
}

/** What is needed to read events. */
export interface ComparableContext {
  /** How the recorded kernel prints. */
  readonly era: Era;
  /** How its MMIO sptes look. */
  readonly layout: MmioLayout;
  /** The file, for messages. */
  readonly file?: string;
}

/** Events that show an spte pointer, and how it is printed. */
const SPTEP: Readonly<Record<string, RegExp>> = {
  mark_mmio_spte: /sptep:([0-9a-f]{16})/,
  mmu_spte_set: /sptep=(?:0x)?([0-9a-f]{16})/,
};
const STORED_SPTE = /spte=(?:0x)?([0-9a-f]+)$/;
const EXIT_REASON = /reason (\S+)/;

/**
 * Reads a line of a recording for comparison.
 *
 * @returns `undefined` for events that no level compares.
 * @throws {TraceSyntaxError} If an event that shows an spte pointer does not show one.
 */
export function comparableFromLine(line: TraceLine, context: ComparableContext): Comparable | undefined {
  const level = levelOfEvent(line.name);
  if (level === undefined) return undefined;
  const text = line.text.startsWith("(") ? stripProbeLocation(line.text) : line.text;
  return comparable(line.name, level, text, context, line.lineNumber);
}

/** Reads an event of the model for comparison; `undefined` for events that no level compares. */
export function comparableFromRecord(record: TraceRecord, context: ComparableContext): Comparable | undefined {
  const { event } = record;
  const level = levelOfEvent(event.name);
  if (level === undefined || event.format(context.era) === undefined) return undefined;
  const text = printEvent(event, record.vcpu, record.args, context.era);
  return comparable(event.name, level, stripProbeLocation(text), context, undefined);
}

function comparable(
  name: string,
  level: Level,
  text: string,
  context: ComparableContext,
  line: number | undefined,
): Comparable | undefined {
  if (isTimingExit({ name, text })) return undefined;
  const pattern = SPTEP[name];
  if (pattern === undefined) return { name, level, text, page: undefined, index: undefined, line };
  if (name === "mmu_spte_set" && !storesMmio(text, context.layout)) return undefined;
  const pointer = pattern.exec(text)?.[1];
  if (pointer === undefined) {
    throw new TraceSyntaxError({ line: line ?? 0, ...fileOf(context) }, `an spte pointer in ${name}`, text);
  }
  const { lo, hi } = parseLanes(pointer);
  return {
    name,
    level,
    text: text.replace(pointer, "*"),
    page: (hi >>> 0) * 2 ** 20 + (lo >>> 12),
    index: (lo & 0xfff) >> 3,
    line,
  };
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
