import type { Command, Example } from "./command.ts";

/** How the command line is started, in examples. */
const LAUNCHER = "deno task lab";

/** The help of the command line as a whole. */
export function helpOf(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "mmu-lab: an executable model of KVM's x86 MMU, to prove, race and ground strategies that forget MMIO sptes\n",
    "\nUsage: lab COMMAND [OPTIONS]\n\nCommands:\n",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`),
    "\nhelp COMMAND says more; --version prints the version.\n",
    "Exit codes: 0 done, 1 a mismatch or something broke, 2 bad input, 3 unsound, 4 budget exhausted.\n",
    examplesOf(commands.flatMap(({ examples }) => examples.slice(0, 1))),
  ].join("");
}

/** The help of one command. */
export function helpOfCommand(command: Command): string {
  const { name, summary, operands, notes = [], examples } = command;
  const options = [...command.options, { name: "help", summary: "print this" }];
  const heads = options.map((option) => "value" in option ? `--${option.name} ${option.value}` : `--${option.name}`);
  const width = Math.max(...heads.map(({ length }) => length));
  return [
    `lab ${name}: ${summary}\n`,
    `\nUsage: lab ${name}${operands === undefined ? "" : ` ${operands}`} [OPTIONS]\n\nOptions:\n`,
    ...options.map((option, i) => `  ${heads[i].padEnd(width)}  ${option.summary}\n`),
    notes.length > 0 ? "\n" : "",
    ...notes.map((note) => `${note}\n`),
    examplesOf(examples),
  ].join("");
}

function examplesOf(examples: readonly Example[]): string {
  const lines = examples.map(({ args, does }) => `  # ${does}\n  ${LAUNCHER} ${args}\n`);
  return lines.length > 0 ? `\nExamples:\n${lines.join("")}` : "";
}
