import { parseArgs } from "@std/cli/parse-args";
import type { Command } from "./command.ts";
import { InputError } from "./input_error.ts";
import { didYouMean } from "./suggest.ts";

const INTEGER = /^(?:0x[0-9a-f]+|\d+)$/i;

/**
 * Reads a whole number that is not negative: decimal, or hexadecimal with 0x.
 *
 * @returns The number, or `undefined` for any other text.
 */
export function parseInteger(text: string): number | undefined {
  const value = INTEGER.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The arguments of a command, parsed and checked against what the command says it takes. */
export class CommandArgs {
  /** The arguments that are no options, in order. */
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;

  /**
   * Parses the arguments of a command.
   *
   * @param command The command.
   * @param args What follows its name on the command line.
   * @throws {InputError} If there is an option it does not have, one without its value, or an operand too many.
   */
  constructor(command: Pick<Command, "options" | "operands">, args: readonly string[]) {
    const options = [...command.options, { name: "help", summary: "" }];
    const flags = options.filter(({ value }) => value === undefined).map(({ name }) => name);
    const texts = options.filter(({ value }) => value !== undefined).map(({ name }) => name);
    this.#values = parseArgs([...args], {
      boolean: flags,
      string: [...texts, "_"],
      alias: { help: "h" },
      unknown: (arg, key) => {
        if (key === undefined) return true;
        const name = arg.replace(/=.*/s, "");
        throw new InputError(
          `Unknown option '${name}'${didYouMean(name, options.map((option) => `--${option.name}`))}`,
        );
      },
    });
    this.operands = (this.#values["_"] as (string | number)[]).map(String);
    for (const name of texts) {
      if (this.#values[name] !== "") continue;
      const { value } = options.find((option) => option.name === name)!;
      throw new InputError(`Option '--${name}' lacks its value: write --${name} ${value}`);
    }
    if (command.operands === undefined && this.operands.length > 0) {
      throw new InputError(`Unexpected argument '${this.operands[0]}'`);
    }
  }

  /** Whether a flag was given. */
  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of an option, if it was given. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /**
   * The value of an option that must be given.
   *
   * @throws {InputError} If it was not.
   */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new InputError(`Option '--${name}' is missing`);
    return value;
  }

  /**
   * The value of an option as a whole number, decimal or hexadecimal with 0x.
   *
   * @throws {InputError} If it is no such number from `min` to `max`.
   */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parseInteger(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InputError(`Cannot use '--${name} ${text}': expected a whole number from ${min} to ${max}`);
  }
}
