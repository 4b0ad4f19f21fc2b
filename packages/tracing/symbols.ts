import type { Era } from "./era.ts";

/** A printable value: a number below 2^53, a name, or `0x…` for a number that needs 64 bits. */
export type Value = number | string;

/** The named values of one event. */
export type Values = Record<string, Value>;

/** How `%s` prints a value, and reads it back. */
export interface Symbols {
  /** Source of a regular expression, without capturing groups, for every text that {@linkcode print} makes. */
  readonly pattern: string;
  /** The text of a value. */
  print(value: Value, era: Era): string;
  /** The value of a text that matches {@linkcode pattern}. */
  parse(text: string, era: Era): Value;
}

/** A two-way table of numbers and names, one per era when eras differ. */
export interface NameTable {
  /** The name of `code`, `0x…` when it has none: what the kernel's `__print_symbolic` prints. */
  name(code: number, era: Era): string;
  /** The code of `name`, `-1` when there is none. */
  code(name: string, era: Era): number;
}

/** A number in lower-case hexadecimal with `0x`, two's complement in 32 bits if negative, as `__print_symbolic` does. */
export function hex(value: number): string {
  return "0x" + (value < 0 ? value >>> 0 : value).toString(16);
}

/**
 * A table of names that is the same in every era.
 *
 * @param names The name of each code.
 * @returns The table, both ways.
 */
export function nameTable(names: Readonly<Record<number, string>>): NameTable {
  const codes = new Map(Object.entries(names).map(([code, name]) => [name, Number(code)]));
  return {
    name: (code) => names[code] ?? hex(code),
    code: (name) => codes.get(name) ?? (name.startsWith("0x") ? Number(name) : -1),
  };
}

const asText = (value: Value): string => String(value);

/** `%s` of a name from a {@linkcode NameTable}: prints and reads itself. */
export const NAME: Symbols = { pattern: "\\S+(?: \\S+)*?", print: asText, parse: (text) => text };

/** `%s` of a list of instruction bytes, as `__print_hex` prints them: `8b 03`. */
export const BYTES: Symbols = {
  pattern: "(?:[0-9a-f]{2}(?: [0-9a-f]{2})*)?",
  print: asText,
  parse: (text) => text,
};

/** `%s` of a bit: one text when clear, one when set. */
export function choice(clear: string, set: string): Symbols {
  return {
    pattern: [clear, set].sort((a, b) => b.length - a.length).map((text) => RegExp.escape(text)).join("|"),
    print: (value) => value === 0 ? clear : set,
    parse: (text) => text === clear ? 0 : 1,
  };
}

/**
 * `%s` of a number that is a set of bits, as `__print_flags` prints it: the names of the bits joined by `|`, then what
 * has no name in hexadecimal.
 *
 * @param names The name of bit 0, of bit 1 and so on; at most 31.
 */
export function bitNames(names: readonly string[]): Symbols {
  const mask = 2 ** names.length;
  return {
    pattern: "[\\w|]*",
    print(value) {
      const number = Number(value);
      const rest = Math.floor(number / mask) * mask;
      const texts = names.filter((_, bit) => (number - rest) & (1 << bit));
      if (rest !== 0) texts.push(hex(rest));
      return texts.join("|");
    },
    parse(text) {
      let number = 0;
      for (const name of text === "" ? [] : text.split("|")) {
        const bit = names.indexOf(name);
        number += bit >= 0 ? 1 << bit : Number(name);
      }
      return number;
    },
  };
}
