import { describeSpte, formatDescription, type Lanes } from "@mmu-lab/spte-encoding";
import { type Command, ExitCode } from "./command.ts";
import { convertLines, readsStdin } from "./convert_lines.ts";
import { LAYOUT_OPTIONS, layoutOf } from "./layout_options.ts";
import { spteOf, spteRecord } from "./spte_record.ts";

/** `lab decode`: what the 64 bits of an spte mean. */
export const decodeCommand: Command = {
  name: "decode",
  summary: "say what the 64 bits of an spte mean",
  operands: "[SPTE...|-]",
  options: [...LAYOUT_OPTIONS, { name: "json", summary: "print one JSON object a line instead of a field table" }],
  notes: [
    "An SPTE is up to 16 hexadecimal digits, with or without 0x. With '-', or without any, sptes are read from standard",
    "input, one a line, and come out as JSON, one object a line:",
    '  {"spte":"0xfff00000fee00b4e","mmio":true,"gfn":"0xfee00","access":0,"generation":524137}',
    "For an entry that is no MMIO spte mmio is false, and kind says what it is. EPT layouts store no access: 0.",
    "A line that cannot be read ends it with exit code 2; only lines before it have been printed.",
  ],
  examples: [
    { args: "decode 0xfff00000fee00b4e --layout linux_3_11_ept", does: "the fields of one spte" },
    { args: "decode - --layout linux_6_1_ept --l1tf --cache-bits 44 < sptes.txt", does: "many, of a Haswell" },
  ],
  async run(args, io) {
    const layout = layoutOf(args);
    const json = (lanes: Lanes) => JSON.stringify(spteRecord(lanes, layout));
    const table = ({ lo, hi }: Lanes) => formatDescription(describeSpte(lo, hi, layout));
    const { operands } = args;
    const given = operands.length > 0 && !(operands.length === 1 && operands[0] === "-");
    if (readsStdin(operands, given, io, "name an spte, or pipe some in, one a line")) {
      await convertLines(io, (line) => json(spteOf(line)));
      return ExitCode.DONE;
    }
    const sptes = operands.map(spteOf);
    io.stdout(
      args.flag("json") ? sptes.map((spte) => json(spte) + "\n").join("") : sptes.map(table).join("\n\n") + "\n",
    );
    return ExitCode.DONE;
  },
};
