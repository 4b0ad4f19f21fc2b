import type { Era } from "./era.ts";
import type { Part } from "./field.ts";
import type { Value, Values } from "./symbols.ts";

/** A compiled print format: prints values, and reads a text of its own back. */
export interface EventFormat {
  /** The format as declared. */
  readonly source: string;
  /** Prints values; a missing one counts as 0. */
  print(values: Values): string;
  /** The values of a text, or `undefined` if the format cannot have printed it. */
  parse(text: string): Values | undefined;
}

interface Conversion {
  readonly pattern: string;
  print(value: Value): string;
  parse(text: string): Value;
}

const PLACEHOLDER = /%(#?)(0\d+)?(l{0,2})([duxps])\{(\w+)\}/g;
const POINTER_BASE_HIGH = 0xffff8800;
const TWO_32 = 2 ** 32;

function parseHex(digits: string): Value {
  if (digits.length <= 13) return parseInt(digits, 16);
  const short = digits.replace(/^0+(?=.)/, "");
  return short.length <= 13 || short.length === 14 && short < "20000000000000" ? parseInt(short, 16) : "0x" + short;
}

function hexDigits(value: Value, long: boolean): string {
  if (typeof value === "string") return value.slice(2);
  if (value >= 0) return value.toString(16);
  const low = (value >>> 0).toString(16).padStart(8, "0");
  return long ? (Math.floor(value / TWO_32) >>> 0).toString(16) + low : low;
}

/** `%x` with its flags: `#` writes `0x` before what is not 0, `0N` pads to N digits. */
function hexadecimal(alternate: boolean, width: number, long: boolean): Conversion {
  const digits = width > 0 ? `[0-9a-f]{${width},}` : "[0-9a-f]+";
  return {
    pattern: alternate ? `0x${digits}|0` : digits,
    print(value) {
      const text = hexDigits(value, long).padStart(width, "0");
      return alternate && value !== 0 ? "0x" + text : text;
    },
    parse: (text) => parseHex(alternate && text !== "0" ? text.slice(2) : text),
  };
}

const UNSIGNED: Conversion = {
  pattern: "\\d+",
  print: (value) => String(typeof value === "number" && value < 0 ? value >>> 0 : value),
  parse: Number,
};
const SIGNED: Conversion = { pattern: "-?\\d+", print: String, parse: Number };

/**
 * `%p` of an spte's place. NULL is `(null)`, 16 wide, until 4.19, and zeros later (lib/vsprintf.c). Read are also the
 * pointers of `trace-cmd report` and `perf script`, which the C library prints (`0xffff8880...`, `(nil)`), and what a kernel
 * from 4.15 on prints before it has a key to hash them with.
 */
function pointer(era: Era): Conversion {
  const nil = era === "6.1" || era === "6.12" ? "0".repeat(16) : "(null)".padStart(16);
  return {
    pattern: "(?:0x)?[0-9a-f]{1,16}| *\\((?:null|nil|_*ptrval_*)\\)",
    print(value) {
      if (typeof value === "string") return value.slice(2).padStart(16, "0");
      if (value === -1) return nil;
      const offset = value * 8;
      const high = Math.floor(offset / TWO_32);
      return (POINTER_BASE_HIGH + high).toString(16) + (offset - high * TWO_32).toString(16).padStart(8, "0");
    },
    parse(printed) {
      if (printed === nil || printed.endsWith(")")) return -1;
      const text = printed.replace(/^0x/, "").padStart(16, "0");
      const high = parseInt(text.slice(0, 8), 16);
      if (high < 0xffff8000) return "0x" + (text.replace(/^0+/, "") || "0");
      return ((high - POINTER_BASE_HIGH) * TWO_32 + parseInt(text.slice(8), 16)) / 8;
    },
  };
}

/** `%x` and `%p` of an spte's place differ: the first prints the physical address. */
function physical(conversion: Conversion): Conversion {
  return {
    pattern: conversion.pattern,
    print: (value) => conversion.print(typeof value === "number" ? value * 8 : value),
    parse(text) {
      const value = conversion.parse(text);
      return typeof value === "number" ? value / 8 : value;
    },
  };
}

function conversionFor(match: RegExpMatchArray, part: Part, isSptep: boolean, era: Era): Conversion {
  const [, alternate, padding, length, type] = match;
  const { symbols } = part;
  switch (type) {
    case "s":
      if (symbols === undefined) throw new TypeError(`Cannot print '${part.name}' with %s: it has no names`);
      return {
        pattern: symbols.pattern,
        print: (value) => symbols.print(value, era),
        parse: (text) => symbols.parse(text, era),
      };
    case "p":
      return pointer(era);
    case "d":
      return SIGNED;
    case "u":
      return UNSIGNED;
    default: {
      const plain = hexadecimal(alternate === "#", Number(padding ?? 0), length !== "");
      return isSptep ? physical(plain) : plain;
    }
  }
}

/**
 * Compiles a print format: the kernel's own format string, with the name of the value in braces after each conversion,
 * as in `spte %llx{spte} valid %d{valid}`. Conversions are `%d %u %x %s %p` with the flags `#`, `0N` and `l`.
 *
 * @param source The format.
 * @param parts The values it may name.
 * @param sptepNames Which of them are places of sptes.
 * @param era The era, for texts that differ by it.
 * @returns The compiled format.
 * @throws {TypeError} If the format names a value that does not exist, or holds a conversion that is not known.
 */
export function compileFormat(
  source: string,
  parts: ReadonlyMap<string, Part>,
  sptepNames: ReadonlySet<string>,
  era: Era,
): EventFormat {
  const literals: string[] = [];
  const valueNames: string[] = [];
  const conversions: Conversion[] = [];
  let pattern = "";
  let end = 0;
  for (const match of source.matchAll(PLACEHOLDER)) {
    const name = match[5] ?? "";
    const part = parts.get(name);
    if (part === undefined) throw new TypeError(`Cannot compile format '${source}': no value is named '${name}'`);
    const literal = source.slice(end, match.index);
    const conversion = conversionFor(match, part, sptepNames.has(name), era);
    end = match.index + match[0].length;
    pattern += RegExp.escape(literal) + `(${conversion.pattern})`;
    literals.push(literal);
    valueNames.push(name);
    conversions.push(conversion);
  }
  const tail = source.slice(end);
  if ([...literals, tail].some((literal) => literal.includes("%"))) {
    throw new TypeError(`Cannot compile format '${source}': a conversion is not known`);
  }
  const expression = new RegExp(`^${pattern}${RegExp.escape(tail)}$`);
  return {
    source,
    print(values) {
      let text = "";
      for (let index = 0; index < conversions.length; index++) {
        text += literals[index] + conversions[index]!.print(values[valueNames[index]!] ?? 0);
      }
      return text + tail;
    },
    parse(text) {
      const match = expression.exec(text);
      if (match === null) return undefined;
      const values: Values = {};
      for (let index = 0; index < conversions.length; index++) {
        const name = valueNames[index]!;
        const value = conversions[index]!.parse(match[index + 1]!);
        if (values[name] === undefined) values[name] = value;
        else if (values[name] !== value) return undefined; // printed twice, differently
      }
      return values;
    },
  };
}
