import {
  describeSpte,
  formatLanes,
  type Lanes,
  type MmioLayout,
  parseLanes,
  type SpteKind,
} from "@mmu-lab/spte-encoding";
import { parseInteger } from "./command_args.ts";
import { InputError, messageOf } from "./input_error.ts";

/** An spte as `decode` and `encode` print it, one JSON object a line. */
export type SpteRecord =
  | {
    /** The entry, hexadecimal with 0x. */
    readonly spte: string;
    /** It is an MMIO spte. */
    readonly mmio: true;
    /** Guest frame number, hexadecimal with 0x. */
    readonly gfn: string;
    /** Access that it stores: write 2, user 4; 0 in EPT layouts, which store none. */
    readonly access: number;
    /** Generation that it stores; bits that the layout does not store are 0. */
    readonly generation: number;
  }
  | {
    /** The entry, hexadecimal with 0x. */
    readonly spte: string;
    /** It is not an MMIO spte. */
    readonly mmio: false;
    /** What it is instead. */
    readonly kind: SpteKind;
  };

/** Reads an entry under a layout. */
export function spteRecord({ lo, hi }: Lanes, layout: MmioLayout): SpteRecord {
  const spte = formatLanes(lo, hi);
  if (!layout.isMmio(lo, hi)) return { spte, mmio: false, kind: describeSpte(lo, hi, layout).kind };
  return {
    spte,
    mmio: true,
    gfn: `0x${layout.gfnOf(lo, hi).toString(16)}`,
    access: layout.accessOf(lo, hi),
    generation: layout.generationOf(lo, hi),
  };
}

/** What goes into an MMIO spte, as text or JSON has it. */
export interface SpteParts {
  /** Guest frame number: a number, or text, hexadecimal with 0x or decimal. */
  readonly gfn?: unknown;
  /** Access: exec 1, write 2, user 4. */
  readonly access?: unknown;
  /** Generation. */
  readonly generation?: unknown;
}

/**
 * Encodes an MMIO spte.
 *
 * @throws {InputError} If a part is missing, is no number, or does not fit the layout.
 */
export function encodeParts(parts: SpteParts, layout: MmioLayout): Lanes {
  const gfn = integerOf("gfn", parts.gfn, '"0xfee00"');
  const access = integerOf("access", parts.access, "7");
  const generation = integerOf("generation", parts.generation, "123");
  try {
    return layout.encode(gfn, access, generation);
  } catch (error) {
    throw new InputError(messageOf(error), { cause: error });
  }
}

/**
 * Reads an entry from hexadecimal text.
 *
 * @throws {InputError} If it is anything else.
 */
export function spteOf(text: string): Lanes {
  try {
    return parseLanes(text);
  } catch (error) {
    throw new InputError(messageOf(error), { cause: error });
  }
}

function integerOf(name: string, value: unknown, example: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  const parsed = typeof value === "string" ? parseInteger(value) : undefined;
  if (parsed !== undefined) return parsed;
  const problem = value === undefined ? "it is missing" : `got ${JSON.stringify(value)}`;
  throw new InputError(`Cannot encode without a whole number for '${name}', such as ${example}: ${problem}`);
}
