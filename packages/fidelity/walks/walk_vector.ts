/**
 * Recorded walks: what a processor did with one access through page tables that were made for it. The format is
 * described in `testdata/walks/README.md`.
 *
 * @module
 */
import { type Lanes, parseLanes } from "@mmu-lab/spte-encoding";

/** A kind of paging. */
export type WalkMode = "legacy32" | "pae" | "long4" | "long5";

/** The levels of each kind of paging, from the root down. */
const LEVELS: Readonly<Record<WalkMode, readonly number[]>> = {
  legacy32: [2, 1],
  pae: [3, 2, 1],
  long4: [4, 3, 2, 1],
  long5: [5, 4, 3, 2, 1],
};

/** What holds for all walks of a file: its first line. */
export interface WalkHeader {
  /** How the guest paged. */
  readonly mode: WalkMode;
  /** MAXPHYADDR of the processor. */
  readonly maxphyaddr: number;
  /** Whether the processor had pages of 1 GiB. */
  readonly gigabytePages: boolean;
  /** Whether it had PSE-36. */
  readonly pse36: boolean;
  /** CR3, and where the table of the highest level lies. */
  readonly cr3: number;
  /** Physical address of each level's table, from the root down. */
  readonly tables: readonly number[];
}

/** What became of an access. */
export type WalkOutcome =
  | { readonly kind: "ok"; readonly physical: number; readonly after: readonly Lanes[] }
  | { readonly kind: "page-fault"; readonly error: number }
  | { readonly kind: "general-protection" };

/** One recorded walk. */
export interface WalkVector {
  /** Its number in the file. */
  readonly id: number;
  /** CR0.WP. */
  readonly wp: boolean;
  /** EFER.NXE. */
  readonly nxe: boolean;
  /** CR4.SMEP. */
  readonly smep: boolean;
  /** CR4.SMAP. */
  readonly smap: boolean;
  /** CR4.PKE. */
  readonly pke: boolean;
  /** CR4.PSE. */
  readonly pse: boolean;
  /** EFLAGS.AC. */
  readonly ac: boolean;
  /** PKRU. */
  readonly pkru: number;
  /** The linear address. */
  readonly la: Lanes;
  /** What the access did. */
  readonly access: "read" | "write" | "fetch";
  /** Whether ring 3 made it. */
  readonly user: boolean;
  /** The entries, from the root down, also those that the walk should not reach. */
  readonly before: readonly Lanes[];
  /** What the manual demands: where it differs from what was recorded, the file says so. */
  readonly expected: WalkOutcome;
}

type Fields = Readonly<{ [name: string]: unknown }>;

/**
 * Reads the first line of a file of recorded walks.
 *
 * @throws {SyntaxError} If it is no header; the message says what was expected.
 */
export function parseWalkHeader(text: string): WalkHeader {
  const record = parseRecord(text);
  if (record.header !== 1) throw new SyntaxError(`expected a header, "header":1`);
  const mode = modeOf(record);
  const levels = LEVELS[mode];
  const tables = objectOf(record, "tables");
  return {
    mode,
    maxphyaddr: numberOf(record, "maxphyaddr"),
    gigabytePages: flagOf(record, "pages_1g"),
    pse36: flagOf(record, "pse36"),
    cr3: addressOf(record, "cr3"),
    tables: levels.map((level) => addressOf(tables, String(level))),
  };
}

/**
 * Reads any other line.
 *
 * @param text The line. @param header That of its file.
 * @throws {SyntaxError} If it is no walk of that file; the message says what was expected.
 */
export function parseWalkVector(text: string, header: WalkHeader): WalkVector {
  const record = parseRecord(text);
  const id = numberOf(record, "id");
  if (modeOf(record) !== header.mode) throw new SyntaxError(`expected "mode":"${header.mode}" as in the header`);
  const access = record.access;
  if (access !== "read" && access !== "write" && access !== "fetch") {
    throw new SyntaxError(`expected "access" to be read, write or fetch`);
  }
  return {
    id,
    wp: flagOf(record, "wp"),
    nxe: flagOf(record, "nxe"),
    smep: flagOf(record, "smep"),
    smap: flagOf(record, "smap"),
    pke: flagOf(record, "pke"),
    pse: header.mode !== "legacy32" || flagOf(record, "pse"),
    ac: flagOf(record, "ac"),
    pkru: addressOf(record, "pkru"),
    la: lanesOf(record, "la"),
    access,
    user: flagOf(record, "user"),
    before: entriesOf(record, "before", header),
    expected: outcomeOf(record, header),
  };
}

function outcomeOf(record: Fields, header: WalkHeader): WalkOutcome {
  const outcome = objectOf(record, record.sdm === undefined ? "out" : "sdm");
  if (outcome.ok === true) {
    // Above 4 GiB there was no page to look at; the file then has the manual's answer beside the record.
    const physical = outcome.phys === null ? addressOf(record, "phys_unverified") : addressOf(outcome, "phys");
    return { kind: "ok", physical, after: entriesOf(outcome, "after", header) };
  }
  if (outcome.ok !== false) throw new SyntaxError(`expected "ok" to be true or false`);
  if (outcome.vector === undefined) return { kind: "page-fault", error: numberOf(outcome, "error") };
  if (outcome.vector !== 13) throw new SyntaxError(`expected "vector" to be 13, or left out for a page fault`);
  return { kind: "general-protection" };
}

function parseRecord(text: string): Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new SyntaxError("expected a JSON object");
  }
  return parsed as Fields;
}

function modeOf(record: Fields): WalkMode {
  const { mode } = record;
  const known = (Object.keys(LEVELS) as WalkMode[]).find((name) => name === mode);
  if (known === undefined) throw new SyntaxError(`expected "mode" to be one of ${Object.keys(LEVELS).join(", ")}`);
  return known;
}

function objectOf(record: Fields, name: string): Fields {
  const value = record[name];
  if (typeof value !== "object" || value === null) throw new SyntaxError(`expected an object "${name}"`);
  return value as Fields;
}

function numberOf(record: Fields, name: string): number {
  const value = record[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new SyntaxError(`expected a number "${name}"`);
  }
  return value;
}

function flagOf(record: Fields, name: string): boolean {
  const value = record[name];
  if (value !== 0 && value !== 1) throw new SyntaxError(`expected "${name}" to be 0 or 1`);
  return value === 1;
}

function lanesOf(record: Fields, name: string | number): Lanes {
  const value = record[name];
  if (typeof value !== "string" || !/^0x[0-9a-f]{1,16}$/i.test(value)) {
    throw new SyntaxError(`expected "${name}" to be a hexadecimal number with 0x`);
  }
  return parseLanes(value);
}

function addressOf(record: Fields, name: string): number {
  const { lo, hi } = lanesOf(record, name);
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}

function entriesOf(record: Fields, name: string, header: WalkHeader): Lanes[] {
  const entries = record[name];
  const { length } = header.tables;
  if (!Array.isArray(entries) || entries.length !== length) {
    throw new SyntaxError(`expected ${length} entries "${name}"`);
  }
  return entries.map((entry) => lanesOf({ [name]: entry }, name));
}
