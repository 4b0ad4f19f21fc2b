import { STRATEGIES } from "@mmu-lab/invalidation";
import { PROFILES } from "@mmu-lab/machine";
import { formatLanes, MMIO_LAYOUT_NAMES, mmioLayout } from "@mmu-lab/spte-encoding";
import { WORKLOADS } from "@mmu-lab/workloads";
import { type Command, ExitCode } from "./command.ts";
import { InputError } from "./input_error.ts";
import { named } from "./suggest.ts";

/** A thing with a name, as `list` prints it. */
export interface ListEntry {
  /** What to write where a name is asked for. */
  readonly name: string;
  /** What it is, in one line. */
  readonly summary: string;
}

const entriesOf = (things: Readonly<Record<string, { readonly summary: string }>>): ListEntry[] =>
  Object.entries(things).map(([name, { summary }]) => ({ name, summary }));

const LISTS: Readonly<Record<string, () => ListEntry[]>> = {
  strategies: () => entriesOf(STRATEGIES),
  profiles: () => entriesOf(PROFILES),
  layouts: () => MMIO_LAYOUT_NAMES.map((name) => ({ name, summary: layoutSummary(name) })),
  workloads: () => entriesOf(WORKLOADS),
};

function layoutSummary(name: string): string {
  const layout = mmioLayout(name);
  const value = formatLanes(layout.valueLo, layout.valueHi);
  return `${layout.generationBits} generation bits, mark ${value} at MAXPHYADDR 40`;
}

/** `lab list`: the names that other commands take. */
export const listCommand: Command = {
  name: "list",
  summary: "list strategies, profiles, layouts or workloads",
  operands: "strategies|profiles|layouts|workloads",
  options: [{ name: "json", summary: 'print a JSON array of {"name":..,"summary":..}' }],
  examples: [
    { args: "list strategies", does: "what to race" },
    { args: "list layouts --json", does: "for a script" },
  ],
  run(args, io) {
    const [what, ...more] = args.operands;
    if (what === undefined || more.length > 0) {
      throw new InputError(`Name one thing to list: ${Object.keys(LISTS).join(", ")}`);
    }
    const entries = named("list", what, LISTS)();
    const width = Math.max(...entries.map(({ name }) => name.length));
    const lines = entries.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`);
    io.stdout(args.flag("json") ? JSON.stringify(entries) + "\n" : lines.join(""));
    return Promise.resolve(ExitCode.DONE);
  },
};
