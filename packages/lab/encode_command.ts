import { formatLanes } from "@mmu-lab/spte-encoding";
import { type Command, ExitCode } from "./command.ts";
import { convertLines, readsStdin } from "./convert_lines.ts";
import { InputError } from "./input_error.ts";
import { LAYOUT_OPTIONS, layoutOf } from "./layout_options.ts";
import { encodeParts, type SpteParts, spteRecord } from "./spte_record.ts";

const PARTS = ["gfn", "access", "generation"] as const;

/** `lab encode`: the MMIO spte that a kernel would write. */
export const encodeCommand: Command = {
  name: "encode",
  summary: "make the MMIO spte that a kernel would write",
  operands: "[-]",
  options: [
    ...LAYOUT_OPTIONS,
    { name: "gfn", value: "G", summary: "guest frame number" },
    { name: "access", value: "A", summary: "what the mapping allows: exec 1, write 2, user 4" },
    { name: "generation", value: "N", summary: "generation number" },
    { name: "json", summary: "print a JSON object: the spte as decode reads it" },
  ],
  notes: [
    "Numbers are decimal, or hexadecimal with 0x. With '-', or without --gfn, --access and --generation, they are read from",
    'standard input, one JSON object a line, {"gfn":"0xfee00","access":7,"generation":123}, and sptes come out as decode',
    "--json prints them: with the access and the generation bits that the layout stores.",
  ],
  examples: [
    { args: "encode --layout linux_3_11_ept --gfn 0xfee00 --access 7 --generation 0x7ff69", does: "one spte" },
    { args: "encode --layout linux_6_1_shadow < parts.ndjson", does: "many" },
  ],
  async run(args, io) {
    const layout = layoutOf(args);
    const stray = args.operands.find((operand) => operand !== "-");
    if (stray !== undefined) throw new InputError(`Unexpected argument '${stray}': write --gfn ${stray}`);
    const given = PARTS.some((part) => args.text(part) !== undefined);
    if (readsStdin(args.operands, given, io, "write --gfn, --access and --generation, or pipe JSON in")) {
      await convertLines(io, (line) => JSON.stringify(spteRecord(encodeParts(partsOf(line), layout), layout)));
      return ExitCode.DONE;
    }
    const [gfn, access, generation] = PARTS.map((part) => args.required(part));
    const lanes = encodeParts({ gfn, access, generation }, layout);
    const text = args.flag("json") ? JSON.stringify(spteRecord(lanes, layout)) : formatLanes(lanes.lo, lanes.hi);
    io.stdout(text + "\n");
    return ExitCode.DONE;
  },
};

function partsOf(line: string): SpteParts {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // What it is instead does not matter: the message below says what is expected.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  const got = line.length > 60 ? `${line.slice(0, 60)}…` : line;
  throw new InputError(`Cannot read '${got}': expected {"gfn":"0xfee00","access":7,"generation":123}`);
}
