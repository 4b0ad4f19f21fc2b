import config from "./deno.json" with { type: "json" };
import { type Command, ExitCode } from "./command.ts";
import { CommandArgs } from "./command_args.ts";
import { COMMANDS } from "./commands.ts";
import { helpOf, helpOfCommand } from "./help.ts";
import { InputError, messageOf, origin } from "./input_error.ts";
import type { Io } from "./io.ts";
import { didYouMean } from "./suggest.ts";

/**
 * Runs the command line. Whatever happens, it says so in a line and returns; it does not throw.
 *
 * @param args The arguments, without the program's name.
 * @param io The outside world.
 * @param commands The commands there are.
 * @returns The exit code: 0 done, 1 a mismatch or something broke, 2 bad input, 3 unsound, 4 budget exhausted.
 *
 * @example
 * ```ts
 * import { type Io, runLab } from "@mmu-lab/lab";
 * import { assertEquals } from "@std/assert";
 *
 * let output = "";
 * const io = { stdout: (text: string) => output += text } as unknown as Io;
 * const args = ["encode", "--layout", "linux_3_11_ept", "--gfn", "0xfee00", "--access", "7", "--generation", "0x7ff69"];
 * assertEquals(await runLab(args, io), 0);
 * assertEquals(output, "0xfff00000fee00b4e\n");
 * ```
 */
export async function runLab(
  args: readonly string[],
  io: Io,
  commands: readonly Command[] = COMMANDS,
): Promise<ExitCode> {
  const [first] = args;
  const command = commands.find(({ name }) => name === first);
  const prefix = command === undefined ? "lab" : `lab ${command.name}`;
  try {
    if (command !== undefined) return await runCommand(command, args.slice(1), io);
    io.stdout(answer(args, commands));
    return ExitCode.DONE;
  } catch (error) {
    if (error instanceof InputError) {
      io.stderr(`${prefix}: ${messageOf(error)}\n`);
      return ExitCode.BAD_INPUT;
    }
    io.stderr(`${prefix}: Something broke that is no fault of yours; please report it: ${origin(error)}\n`);
    return ExitCode.FAILED;
  }
}

async function runCommand(command: Command, args: readonly string[], io: Io): Promise<ExitCode> {
  const parsed = new CommandArgs(command, args);
  if (!parsed.flag("help")) return await command.run(parsed, io);
  io.stdout(helpOfCommand(command));
  return ExitCode.DONE;
}

/** What to say where no command is run. */
function answer(args: readonly string[], commands: readonly Command[]): string {
  const [first, topic, ...more] = args;
  if (first === "--version" || first === "-V") return `mmu-lab ${config.version}\n`;
  if (first === undefined || first === "--help" || first === "-h") return helpOf(commands);
  const names = commands.map(({ name }) => name);
  if (first.startsWith("-")) {
    throw new InputError(`Unknown option '${first}'${didYouMean(first, ["--help", "--version"])}`);
  }
  if (first !== "help") throw new InputError(`Unknown command '${first}'${didYouMean(first, [...names, "help"])}`);
  if (more.length > 0) throw new InputError(`Unexpected argument '${more[0]}': name one command`);
  if (topic === undefined || topic === "help") return helpOf(commands);
  const command = commands.find(({ name }) => name === topic);
  if (command === undefined) throw new InputError(`Unknown command '${topic}'${didYouMean(topic, names)}`);
  return helpOfCommand(command);
}
