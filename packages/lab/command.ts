/**
 * The contract of a command: what it is called, what it takes, as data, and what it does. Help, parsing and suggestions
 * come from the data.
 *
 * @module
 */
import type { CommandArgs } from "./command_args.ts";
import type { Io } from "./io.ts";

/** How a run of the command line ends. */
export const ExitCode: {
  readonly DONE: 0;
  readonly FAILED: 1;
  readonly BAD_INPUT: 2;
  readonly UNSOUND: 3;
  readonly EXHAUSTED: 4;
} = {
  /** It did what was asked. */
  DONE: 0,
  /** A mismatch was found, or something broke that is no fault of the input. */
  FAILED: 1,
  /** What the user gave cannot be used. */
  BAD_INPUT: 2,
  /** What was checked is unsound. */
  UNSOUND: 3,
  /** Nothing was wrong in what could be checked, but that was not all. */
  EXHAUSTED: 4,
};

/** One of the values of {@linkcode ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An option of a command. */
export interface OptionSpec {
  /** Its name, without the dashes. */
  readonly name: string;
  /** What stands for its value in the help; an option without is a flag. */
  readonly value?: string;
  /** What it does, in one line. */
  readonly summary: string;
}

/** A command line and what it is for. */
export interface Example {
  /** What follows `deno task lab`. */
  readonly args: string;
  /** What it is for, in a few words. */
  readonly does: string;
}

/** A command. */
export interface Command {
  /** Its name. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** Its arguments beside options, as the help shows them; a command without takes none. */
  readonly operands?: string;
  /** Its options, beside `--help`, which all have. */
  readonly options: readonly OptionSpec[];
  /** What else its help says. */
  readonly notes?: readonly string[];
  /** How it is used. */
  readonly examples: readonly Example[];
  /**
   * Does it.
   *
   * @throws {InputError} If what the user gave cannot be used; nothing has then been written to standard output but
   * whole results that came before.
   */
  run(args: CommandArgs, io: Io): Promise<ExitCode>;
}
