/**
 * Sptes for people: what an entry is, bit by bit.
 *
 * @module
 */

import { formatRun, rsvdBits } from "./_bit_runs.ts";
import type { EntryFormat } from "./entry_format.ts";
import { formatLanes, lanesToBigInt, pfnOfLanes } from "./lanes.ts";
import type { MmioLayout } from "./mmio_layout.ts";

/** What an entry is, as far as its bits tell. `present leaf or table`: nothing in it is particular to one of them. */
export type SpteKind = "mmio" | "non-present" | "present leaf" | "present table" | "present leaf or table";

/** One field of an entry. */
export interface SpteField {
  /** Bit range, both ends inclusive, for example `61:52` or `62`. */
  readonly bits: string;
  /** Name of the field, for example `generation high`. */
  readonly name: string;
  /** The bits shifted down, hexadecimal with `0x`. */
  readonly value: string;
  /** What the value means. */
  readonly note?: string;
}

/** A reading of one entry. */
export interface SpteDescription {
  /** The entry, hexadecimal with `0x`. */
  readonly spte: string;
  /** Name of the layout that it was read with. */
  readonly layout: string;
  /** What it is. */
  readonly kind: SpteKind;
  /** One line for people. */
  readonly summary: string;
  /** Its fields, highest bits first. */
  readonly fields: readonly SpteField[];
}

/** What the reader knows besides the bits. */
export interface DescribeSpteOptions {
  /** Level of the table that holds the entry: 1 for the last level. Tells leaves from tables. */
  readonly level?: number;
}

type AddField = (high: number, low: number, name: string, note?: (value: number) => string | undefined) => void;

const MEMORY_TYPES = new Map([[0, "UC"], [1, "WC"], [4, "WT"], [5, "WP"], [6, "WB"]]);
const SPTE_KINDS = ["A/D bits on", "A/D bits off", "write-protect only", "MMIO until 5.12"];

/**
 * Reads an entry under a layout.
 *
 * EPT and legacy formats are architecture (facts sheet 0.2, 7.2); MMIO sptes and the software bits are KVM policy
 * (facts sheet 2.3, 4.8, 4.9, 6.6). Without a level, an entry counts as a leaf if something is set that KVM sets in leaves only.
 *
 * @param lo Bits 31:0, int32 or uint32
 * @param hi Bits 63:32, int32 or uint32
 * @param layout The layout of the kernel and paging mode that made the entry
 * @param options What else is known
 * @returns The reading; {@linkcode formatDescription} makes text of it
 *
 * @example
 * ```ts
 * import { describeSpte, mmioLayout, parseLanes } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * const { lo, hi } = parseLanes("0xfff00000fee00b4e");
 * const { kind, summary } = describeSpte(lo, hi, mmioLayout("linux_3_11_ept"));
 * assertEquals(kind, "mmio");
 * assertEquals(summary, "gfn 0xfee00, access not stored, generation 0x7ff69");
 * ```
 */
export function describeSpte(
  lo: number,
  hi: number,
  layout: MmioLayout,
  options: DescribeSpteOptions = {},
): SpteDescription {
  const entry = lanesToBigInt(lo, hi);
  const kind = kindOf(lo, hi, layout, options.level);
  const fields: SpteField[] = [];
  const add: AddField = (high, low, name, note) => {
    const value = (entry >> BigInt(low)) & rsvdBits(0, high - low);
    const text = note?.(Number(value));
    fields.push({
      bits: formatRun({ high, low }),
      name,
      value: `0x${value.toString(16)}`,
      ...(text !== undefined && { note: text }),
    });
  };
  let summary: string;
  if (kind === "mmio") {
    addMmioFields(add, entry, layout);
    summary = mmioSummary(lo, hi, layout);
  } else if (kind === "non-present") {
    summary = addNonPresentFields(add, lo, hi, layout.entryFormat);
  } else {
    addPresentFields(add, bit(lo, hi, 63), layout.entryFormat, kind === "present table");
    summary = `pfn 0x${pfnOfLanes(lo, hi).toString(16)}, ${permissions(lo, hi, layout.entryFormat)}`;
  }
  return { spte: formatLanes(lo, hi), layout: layout.name, kind, summary, fields };
}

/**
 * Prints a reading: a headline, then a line for each field.
 *
 * @param description What {@linkcode describeSpte} returned
 * @returns Lines joined by `\n`, without one at the end
 *
 * @example
 * ```ts
 * import { describeSpte, formatDescription, mmioLayout } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   formatDescription(describeSpte(0, 0, mmioLayout("linux_6_1_ept"))),
 *   "0x0 (linux_6_1_ept): non-present, empty",
 * );
 * ```
 */
export function formatDescription(description: SpteDescription): string {
  const { spte, layout, kind, summary, fields } = description;
  const nameWidth = Math.max(0, ...fields.map(({ name }) => name.length));
  const lines = fields.map(({ bits, name, value, note }) =>
    `  ${bits.padStart(5)}  ${name.padEnd(nameWidth)}  ${value}${note === undefined ? "" : `  ${note}`}`
  );
  return [`${spte} (${layout}): ${kind}, ${summary}`, ...lines].join("\n");
}

function kindOf(lo: number, hi: number, layout: MmioLayout, level: number | undefined): SpteKind {
  const format = layout.entryFormat;
  if (layout.isMmio(lo, hi)) return "mmio";
  if ((lo & (format.paging === "ept" ? 7 : 1)) === 0) return "non-present";
  if (level !== undefined) return level === 1 || bit(lo, hi, 7) ? "present leaf" : "present table";
  // EPT leaves have a memory type, ignore PAT or the large bit; legacy leaves have the large or the dirty bit.
  const hardwareLeaf = lo & (format.paging === "ept" ? 0xf8 : 0xc0);
  const softwareLeaf = bit(lo, hi, format.hostWritableBit) | bit(lo, hi, format.mmuWritableBit);
  return hardwareLeaf | softwareLeaf ? "present leaf" : "present leaf or table";
}

function addMmioFields(add: AddField, entry: bigint, layout: MmioLayout): void {
  let unclaimed = entry;
  for (const { high, low, name } of layout.fields.toSorted((one, other) => other.high - one.high)) {
    unclaimed &= ~rsvdBits(low, high);
    if (name === "generation") add(high, low, low >= 32 ? "generation high" : "generation low");
    else if (name === "access") add(high, low, name, () => accessText(Number(entry), layout));
    else add(high, low, name);
  }
  if (unclaimed !== 0n) add(63, 0, "entry", () => `bits 0x${unclaimed.toString(16)} belong to no field`);
}

function mmioSummary(lo: number, hi: number, layout: MmioLayout): string {
  const gfn = `gfn 0x${layout.gfnOf(lo, hi).toString(16)}`;
  const generation = layout.generationMask === 0
    ? "no generation"
    : `generation 0x${layout.generationOf(lo, hi).toString(16)}`;
  return `${gfn}, access ${accessText(lo, layout)}, ${generation}`;
}

function accessText(lo: number, layout: MmioLayout): string {
  if (layout.accessMask === 0) return "not stored";
  return ["none", "write", "user", "write|user"][layout.accessOf(lo, 0) >> 1]!;
}

function addNonPresentFields(add: AddField, lo: number, hi: number, format: EntryFormat): string {
  const whole = hi | 0;
  if (lo === 0 && (whole === format.emptyHi || whole === 0)) return "empty";
  if (lo === format.frozenLo && whole === format.emptyHi) return "frozen: its table is going away";
  add(63, 0, "entry", () => "no known meaning");
  return "not empty";
}

function addPresentFields(add: AddField, bit63: number, format: EntryFormat, isTable: boolean): void {
  const ept = format.paging === "ept";
  if (!ept) add(63, 63, "no execute");
  else if (bit63) add(63, 63, "suppress #VE");
  if (format.mmuWritableBit > 51) add(format.mmuWritableBit, format.mmuWritableBit, "MMU-writable");
  if (format.hostWritableBit > 51) add(format.hostWritableBit, format.hostWritableBit, "host-writable");
  if (format.hasSpteKind) add(53, 52, "spte kind", (value) => SPTE_KINDS[value]);
  add(51, 12, "pfn");
  if (format.hasMmuPresentBit) add(11, 11, "present to KVM");
  if (format.mmuWritableBit < 12) add(format.mmuWritableBit, format.mmuWritableBit, "MMU-writable");
  if (format.hostWritableBit < 12) add(format.hostWritableBit, format.hostWritableBit, "host-writable");
  if (ept) {
    add(9, 9, "dirty");
    add(8, 8, "accessed");
    add(7, 7, "large page");
    if (!isTable) {
      add(6, 6, "ignore PAT");
      add(5, 3, "memory type", (value) => MEMORY_TYPES.get(value) ?? "illegal: EPT misconfiguration");
    }
    add(2, 0, "permissions", (value) => eptPermissions(value));
    return;
  }
  add(8, 8, "global");
  add(7, 7, "large page, or PAT at level 1");
  add(6, 6, "dirty");
  add(5, 5, "accessed");
  add(4, 4, "PCD");
  add(3, 3, "PWT");
  add(2, 2, "user");
  add(1, 1, "writable");
  add(0, 0, "present");
}

function eptPermissions(bits: number): string {
  const text = `${bits & 1 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 4 ? "x" : "-"}`;
  return (bits & 3) === 2 ? `${text}: EPT misconfiguration` : text;
}

function permissions(lo: number, hi: number, format: EntryFormat): string {
  if (format.paging === "ept") return eptPermissions(lo & 7);
  return `r${lo & 2 ? "w" : "-"}${bit(lo, hi, 63) ? "-" : "x"}${lo & 4 ? "u" : "-"}`;
}

function bit(lo: number, hi: number, position: number): number {
  return (position < 32 ? lo >>> position : hi >>> (position - 32)) & 1;
}
