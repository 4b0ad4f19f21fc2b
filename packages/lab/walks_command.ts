import { replayWalkFile, type WalkFileResult, WalkSyntaxError } from "@mmu-lab/fidelity";
import type { GuestWalkRules } from "@mmu-lab/paging";
import { readTraceLines, TraceSyntaxError } from "@mmu-lab/tracing";
import { type Command, ExitCode } from "./command.ts";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";
import { withProgress } from "./progress.ts";
import { WALK_RULES_OPTION, walkRulesOf } from "./walk_rules_option.ts";

/** Mismatches that are shown; the number of all is in the last line. */
const SHOWN = 20;

/** `lab walks`: does the guest walker do what processors did? */
export const walksCommand: Command = {
  name: "walks",
  summary: "hold the guest page-table walker against recorded walks of processors",
  operands: "FILE...",
  options: [WALK_RULES_OPTION],
  notes: [
    "A FILE has one JSON object a line, as text or gzip: a header, then walks with the entries before, the access, and",
    "what came of it. Where the recorder was not as the manual says, the manual counts.",
    "The last line is 'N walks, M mismatches'; exit code 1 if there is a mismatch.",
  ],
  examples: [
    { args: "walks packages/fidelity/testdata/walks/*.gz", does: "all recorded walks" },
    { args: "walks --rules linux_3_11 packages/fidelity/testdata/walks/*-1.ndjson.gz", does: "where 3.11 differs" },
  ],
  async run(args, io) {
    if (args.operands.length === 0) throw new InputError("Name at least one file of recorded walks");
    const rules = walkRulesOf(args);
    let walks = 0;
    let mismatches = 0;
    let text = "";
    await withProgress(io, async (progress) => {
      for (const [i, file] of args.operands.entries()) {
        progress.update("Walking", i, args.operands.length);
        const result = await replay(file, rules, io);
        for (const { line, id, expected, got } of result.mismatches) {
          if (mismatches++ < SHOWN) {
            text += `${file}:${line}: walk ${id}\n  expected  ${expected}\n  got       ${got}\n`;
          }
        }
        walks += result.walks;
      }
    });
    io.stdout(`${text}${walks} walks, ${mismatches} mismatches\n`);
    return mismatches === 0 ? ExitCode.DONE : ExitCode.FAILED;
  },
};

async function replay(file: string, rules: GuestWalkRules, io: Io): Promise<WalkFileResult> {
  try {
    return await replayWalkFile(readTraceLines(await io.readFile(file), { file }), rules);
  } catch (error) {
    if (error instanceof WalkSyntaxError) {
      throw new InputError(`Cannot use recorded walks ${file}, ${messageOf(error)}`, { cause: error });
    }
    if (error instanceof TraceSyntaxError) {
      throw new InputError(`Cannot use recorded walks ${file}: expected ${error.expected}`, { cause: error });
    }
    throw error;
  }
}
