import type { Era } from "./era.ts";
import { BYTES, choice, NAME, type NameTable, nameTable, type Symbols, type Value } from "./symbols.ts";

/**
 * What a field holds, and so how many slots of `emit` it takes.
 *
 * | kind      | slots | a slot holds |
 * | --------- | ----- | ------------ |
 * | `vcpu`    | 0     | nothing: the `vcpu` argument of `emit` is the value |
 * | `num`     | 1     | an integer from 0 to 2^53 - 1 |
 * | `int`     | 1     | a signed integer |
 * | `address` | 1     | a linear address, sign-extended: exact if its magnitude is below 2^53 |
 * | `u64`     | 2     | low and high 32 bits, signed or not |
 * | `sptep`   | 1     | shadow page serial * 512 + index, see {@linkcode sptep} |
 * | `enum`    | 1     | the code of a name |
 * | `flag`    | 1     | 0 or 1 |
 * | `flags`   | 1     | a set of bits that print as names |
 * | `bits`    | 1     | several parts packed in 31 bits |
 * | `bytes`   | 4     | a byte count and up to 15 bytes, little endian |
 */
export type FieldKind =
  | "vcpu"
  | "num"
  | "int"
  | "address"
  | "u64"
  | "sptep"
  | "enum"
  | "flag"
  | "flags"
  | "bits"
  | "bytes";

/** One printable value of a field. Most fields have one part, of the field's own name. */
export interface Part {
  /** Name of the value, unique in its event. */
  readonly name: string;
  /** How `%s` prints it, if anything does. */
  readonly symbols?: Symbols;
  /** Reads the value from the slots that start at `at`. */
  get(slots: ArrayLike<number>, at: number, era: Era): Value;
  /** Stores the value in the slots that start at `at`; these are 0 before the first part of a field is stored. */
  put(value: Value, slots: number[], at: number, era: Era): void;
}

/** A field of an event. */
export interface Field {
  /** Name of the field. */
  readonly name: string;
  /** What it holds. */
  readonly kind: FieldKind;
  /** How many slots it takes. */
  readonly slots: number;
  /** Its printable values. */
  readonly parts: readonly Part[];
}

const TWO_32 = 2 ** 32;

/** 64 bits in two lanes as a {@linkcode Value}: a number below 2^53, else `0x…`. */
function fromLanes(lo: number, hi: number): Value {
  const low = lo >>> 0;
  const high = hi >>> 0;
  return high < 0x200000
    ? high * TWO_32 + low
    : "0x" + high.toString(16).padStart(8, "0").replace(/^0+/, "") + low.toString(16).padStart(8, "0");
}

function toLanes(value: Value): [lo: number, hi: number] {
  if (typeof value === "number") return [value >>> 0, Math.floor(value / TWO_32) >>> 0];
  const digits = value.slice(2).padStart(16, "0");
  return [parseInt(digits.slice(8), 16), parseInt(digits.slice(0, 8), 16)];
}

function single(name: string, kind: FieldKind, part: Partial<Part> = {}): Field {
  const plain: Part = {
    name,
    get: (slots, at) => slots[at] ?? 0,
    put: (value, slots, at) => void (slots[at] = Number(value)),
    ...part,
  };
  return { name, kind, slots: 1, parts: [plain] };
}

/** The vCPU an event happened on: the `vcpu` argument of `emit`, printed by events whose format names it. */
export function vcpu(): Field {
  return { name: "vcpu", kind: "vcpu", slots: 0, parts: [{ name: "vcpu", get: () => 0, put: () => {} }] };
}

/** A non-negative integer below 2^53. */
export function num(name: string): Field {
  return single(name, "num");
}

/** A signed integer. */
export function int(name: string): Field {
  return single(name, "int");
}

/** A linear address in one slot, sign-extended as hardware does. Use {@linkcode u64} where slots are free. */
export function address(name: string): Field {
  return single(name, "address", {
    get(slots, at) {
      const value = slots[at] ?? 0;
      return value >= 0 ? value : fromLanes(value - Math.floor(value / TWO_32) * TWO_32, Math.floor(value / TWO_32));
    },
    put(value, slots, at) {
      const [lo, hi] = toLanes(value);
      slots[at] = (hi | 0) * TWO_32 + lo;
    },
  });
}

/** 64 bits, in two slots: low 32 bits, then high. */
export function u64(name: string): Field {
  return {
    name,
    kind: "u64",
    slots: 2,
    parts: [{
      name,
      get: (slots, at) => fromLanes(slots[at] ?? 0, slots[at + 1] ?? 0),
      put: (value, slots, at) => void ([slots[at], slots[at + 1]] = toLanes(value)),
    }],
  };
}

/** The slot value of a NULL spte pointer. */
export const NO_SPTEP: number = -1;

/**
 * The place of an spte: shadow page serial * 512 + index in the page, or {@linkcode NO_SPTEP}.
 * `%p` prints it as a kernel pointer into the direct map of memory, 0xffff880000000000 + page * 4096 + index * 8;
 * `%llx` as the physical address of the same. So for a recorded pointer the page is the host page frame, if the kernel
 * placed its direct map there (always before 4.8, without KASLR later).
 * A pointer outside the upper half (a hashed one) is read as `0x…` and has no slot value.
 */
export function sptep(name: string): Field {
  return single(name, "sptep", {
    put: (value, slots, at) => void (slots[at] = typeof value === "number" ? value : NO_SPTEP),
  });
}

/** A code that prints as a name; its value is the name. */
export function names(name: string, table: NameTable): Field {
  return single(name, "enum", namePart(name, table, 0, 53));
}

/** A bit that prints as one of two texts. */
export function flag(name: string, clear?: string, set?: string): Field {
  return single(name, "flag", clear === undefined ? {} : { symbols: choice(clear, set ?? "") });
}

/** A set of bits that `%s` prints as names. */
export function flags(name: string, symbols: Symbols): Field {
  return single(name, "flags", { symbols });
}

/** Up to 15 instruction bytes in four slots of 32 bits, see {@linkcode packBytes}. */
export function bytes(name: string): Field {
  return {
    name,
    kind: "bytes",
    slots: 4,
    parts: [{
      name,
      symbols: BYTES,
      get(slots, at) {
        const byte = (index: number): number => ((slots[at + (index >> 2)] ?? 0) >>> ((index & 3) * 8)) & 0xff;
        return Array.from({ length: byte(0) }, (_, index) => byte(index + 1).toString(16).padStart(2, "0")).join(" ");
      },
      put(value, slots, at) {
        const text = String(value);
        packBytes(text === "" ? [] : text.split(" ").map((digits) => parseInt(digits, 16))).forEach((lane, index) => {
          slots[at + index] = lane;
        });
      },
    }],
  };
}

/**
 * Packs instruction bytes for a `bytes` field.
 *
 * @param values The bytes; an x86 instruction has at most 15.
 * @returns Four lanes of 32 bits: byte 0 is the count, then the bytes.
 * @throws {RangeError} If there are more than 15 bytes.
 */
export function packBytes(values: ArrayLike<number>): [number, number, number, number] {
  if (values.length > 15) throw new RangeError(`Cannot pack ${values.length} bytes: an instruction has at most 15`);
  const lanes: [number, number, number, number] = [values.length, 0, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const lane = (index + 1) >> 2;
    lanes[lane] = ((lanes[lane] ?? 0) | ((values[index] ?? 0) << (((index + 1) & 3) * 8))) >>> 0;
  }
  return lanes;
}

/** Several parts packed in one slot, each made by {@linkcode bitRange} or {@linkcode bitName}. */
export function bits(name: string, ...parts: readonly Part[]): Field {
  return { name, kind: "bits", slots: 1, parts };
}

/** A part of a `bits` field: a number of `width` bits at bit `shift`; `symbols` says how `%s` prints it. */
export function bitRange(name: string, shift: number, width: number, symbols?: Symbols): Part {
  const mask = 2 ** width - 1;
  return {
    name,
    ...(symbols === undefined ? {} : { symbols }),
    get: (slots, at) => ((slots[at] ?? 0) >>> shift) & mask,
    put: (value, slots, at) => void (slots[at] = (slots[at] ?? 0) | ((Number(value) & mask) << shift)),
  };
}

/** A part of a `bits` field that prints as a name. */
export function bitName(name: string, shift: number, width: number, table: Readonly<Record<number, string>>): Part {
  return namePart(name, nameTable(table), shift, width);
}

function namePart(name: string, table: NameTable, shift: number, width: number): Part {
  const range = width > 31 ? undefined : bitRange(name, shift, width);
  return {
    name,
    symbols: NAME,
    get: (slots, at, era) => table.name(range ? Number(range.get(slots, at, era)) : slots[at] ?? 0, era),
    put(value, slots, at, era) {
      const code = typeof value === "number" ? value : table.code(value, era);
      if (range) range.put(code, slots, at, era);
      else slots[at] = code;
    },
  };
}
