/**
 * Every combination of page-table bits, kinds of access and processor settings that could matter to whether an access is
 * allowed, as numbered cases. The idea is that of `access` in kvm-unit-tests, which asks a real processor.
 *
 * What is left out, as there: two reserved bits at once, and bits of a PTE that no walk reaches.
 *
 * @module
 */
import type { ArchitectureMode } from "./architecture_rules.ts";

/** One case. */
export interface AccessCase {
  /** The paging mode. */
  readonly mode: ArchitectureMode;
  /** CR0.WP. */
  readonly wp: boolean;
  /** EFER.NXE. */
  readonly nxe: boolean;
  /** CR4.PSE. */
  readonly pse: boolean;
  /** CR4.SMEP. */
  readonly smep: boolean;
  /** CR4.SMAP. */
  readonly smap: boolean;
  /** EFLAGS.AC. */
  readonly ac: boolean;
  /** CR4.PKE. */
  readonly pke: boolean;
  /** PKRU, of which the bits of keys 0 and {@linkcode KEY} vary. */
  readonly pkru: number;
  /** What the access does. */
  readonly kind: "read" | "write" | "fetch";
  /** Whether user mode makes it. */
  readonly user: boolean;
  /** The PDE without an address, two lanes. */
  readonly pde: readonly [lo: number, hi: number];
  /** The PTE without an address, two lanes. */
  readonly pte: readonly [lo: number, hi: number];
}

/** The protection key that entries have where they have one; not 0 and not all ones. */
export const KEY = 5;
/** MAXPHYADDR of all cases: bit 36 is the lowest that is reserved. */
export const MAXPHYADDR = 36;

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const BIT_13 = 0x2000;
const NX = 1 << 31;
const BIT_36 = 1 << 4;
const BIT_51 = 1 << 19;
const KEY_BITS = KEY << 27;

/** Lanes that are or-ed into an entry. */
type Lanes = readonly [lo: number, hi: number];
/** A choice between values of an entry's bits. */
type Axis = readonly Lanes[];

const lo = (...masks: number[]): Axis[] => masks.map((mask) => [[0, 0], [mask, 0]]);
const hi = (...masks: number[]): Axis[] => masks.map((mask) => [[0, 0], [0, mask]]);
const always = (low: number, high = 0): Axis => [[low, high]];

/** What varies of the two entries in one kind of case; the cases are the product of all axes. */
interface Shape {
  readonly pde: readonly Axis[];
  readonly pte: readonly Axis[];
  /** Bits reserved in one of the entries, in no case in both. */
  readonly reserved: readonly { readonly pde: Lanes; readonly pte: Lanes }[];
}

const NOTHING: Lanes = [0, 0];
const IN_PDE = [NOTHING, [0, BIT_36], [0, BIT_51]] as const;
const inPde = (masks: readonly Lanes[]) => masks.map((pde) => ({ pde, pte: NOTHING }));
const inEither = [...inPde(IN_PDE), ...IN_PDE.slice(1).map((pte) => ({ pde: NOTHING, pte }))];
/** A PTE that would fault or be seen if a walk reached it where it should not. */
const UNREACHED = [always(0, NX | BIT_51)];

/** The kinds of cases with entries of 8 bytes: PDE not present, PDE that maps a page, PDE that names a table. */
function wideShapes(keys: boolean): readonly Shape[] {
  const key: Axis[] = keys ? hi(KEY_BITS) : [];
  // A key in an entry that names a table is ignored: that it is there must not matter.
  const ignoredKey = keys ? [always(0, KEY_BITS)] : [];
  return [
    { pde: [...lo(W, U, A, PS), ...hi(NX)], pte: UNREACHED, reserved: inPde(IN_PDE) },
    {
      pde: [always(P | PS), ...lo(W, U, A, D), ...hi(NX), ...key],
      pte: UNREACHED,
      reserved: inPde([...IN_PDE, [BIT_13, 0]]),
    },
    {
      pde: [always(P), ...ignoredKey, ...lo(W, U, A), ...hi(NX)],
      pte: [...lo(P, W, U, A, D, PS), ...hi(NX), ...key],
      reserved: inEither,
    },
  ];
}

/** With 4 bytes bit 7 of a PDE is looked at only with CR4.PSE, and nothing but bits 21:17 of a large page is reserved. */
const NARROW_SHAPES: readonly Shape[] = [
  { pde: lo(W, U, A, PS), pte: [always(0)], reserved: inPde([NOTHING]) },
  { pde: [always(P), ...lo(W, U, A, D, PS)], pte: lo(P, W, U, A, D, PS), reserved: inPde([NOTHING, [1 << 21, 0]]) },
];

const PKRUS = [0, 1, 2, 3].map((bits) => (bits << (2 * KEY)) | (3 & ~bits)) as readonly number[];

/** What varies of processor and access. */
interface Settings {
  readonly wide: boolean;
  readonly keys: boolean;
}

/** A mode, with its shapes and settings. */
interface Block {
  readonly mode: ArchitectureMode;
  readonly shape: Shape;
  readonly settings: Settings;
  readonly entries: number;
  readonly first: number;
  readonly count: number;
}

const KINDS = ["read", "write", "fetch"] as const;

function settingsCount({ wide, keys }: Settings): number {
  // WP, NXE, SMEP; SMAP off, on, on with AC; PSE; PKE off or on with four values of PKRU; kind; ring.
  return 2 * 2 * 2 * 3 * (wide ? 1 : 2) * (keys ? 1 + PKRUS.length : 1) * 3 * 2;
}

function product(axes: readonly Axis[]): number {
  return axes.reduce((count, { length }) => count * length, 1);
}

const BLOCKS: readonly Block[] = (() => {
  const blocks: Block[] = [];
  let first = 0;
  const add = (mode: ArchitectureMode, shapes: readonly Shape[], settings: Settings) => {
    for (const shape of shapes) {
      const entries = product(shape.pde) * product(shape.pte) * shape.reserved.length;
      const count = entries * settingsCount(settings);
      blocks.push({ mode, shape, settings, entries, first, count });
      first += count;
    }
  };
  add("32-bit", NARROW_SHAPES, { wide: false, keys: false });
  add("PAE", wideShapes(false), { wide: true, keys: false });
  add("4-level", wideShapes(true), { wide: true, keys: true });
  add("5-level", wideShapes(true), { wide: true, keys: true });
  return blocks;
})();

/** How many cases there are. */
export const ACCESS_CASES: number = BLOCKS.reduce((sum, { count }) => sum + count, 0);

/** Takes digits off a number, one base after the other. */
class Digits {
  constructor(public rest: number) {}

  take(base: number): number {
    const digit = this.rest % base;
    this.rest = (this.rest - digit) / base;
    return digit;
  }

  flag(): boolean {
    return this.take(2) === 1;
  }

  entry(axes: readonly Axis[], reserved: Lanes): [number, number] {
    let [low, high] = reserved;
    for (const axis of axes) {
      const [l, h] = axis[this.take(axis.length)];
      low |= l;
      high |= h;
    }
    return [low, high];
  }
}

/**
 * A case by its number.
 *
 * @param number From 0 to `ACCESS_CASES - 1`; page-table bits change fastest.
 * @throws {RangeError} If there is no such case.
 */
export function accessCase(number: number): AccessCase {
  const block = BLOCKS.find(({ first, count }) => number >= first && number < first + count);
  if (block === undefined || !Number.isInteger(number)) {
    throw new RangeError(`Cannot make access case ${number}: expected 0 to ${ACCESS_CASES - 1}`);
  }
  const { mode, shape, settings } = block;
  const digits = new Digits(number - block.first);
  const reserved = shape.reserved[digits.take(shape.reserved.length)];
  const pte = digits.entry(shape.pte, reserved.pte);
  const pde = digits.entry(shape.pde, reserved.pde);
  const kind = KINDS[digits.take(3)];
  const user = digits.flag();
  const wp = digits.flag();
  const nxe = digits.flag();
  const smep = digits.flag();
  const smap = digits.take(3);
  const pse = settings.wide ? false : digits.flag();
  const keys = settings.keys ? digits.take(1 + PKRUS.length) : 0;
  return {
    mode,
    wp,
    nxe,
    smep,
    smap: smap > 0,
    ac: smap === 2,
    pse,
    pke: keys > 0,
    // Where keys are off every key is shut, and that must not matter.
    pkru: keys > 0 ? PKRUS[keys - 1] : 0xffffffff,
    kind,
    user,
    pde,
    pte,
  };
}

/** A case in one line. */
export function formatAccessCase(testCase: AccessCase): string {
  const { mode, kind, user, pde, pte } = testCase;
  const flags = (["wp", "nxe", "pse", "smep", "smap", "ac", "pke"] as const).filter((name) => testCase[name]);
  const entry = ([low, high]: Lanes) => `0x${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`;
  const cpu = [...flags, `pkru 0x${testCase.pkru.toString(16)}`].join(" ");
  return `${mode} ${user ? "user" : "supervisor"} ${kind}, ${cpu}, pde ${entry(pde)} pte ${entry(pte)}`;
}
