import { chooseProfile, type Conformance, conformRecording, type Level, LEVELS } from "@mmu-lab/fidelity";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { readRecordingStream } from "@mmu-lab/workloads";
import { type Command, ExitCode } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { InputError, messageOf } from "./input_error.ts";
import type { Io } from "./io.ts";
import { withProgress } from "./progress.ts";
import { readTraceFile } from "./read_trace_file.ts";
import { named } from "./suggest.ts";
import { formatNumber, textTable } from "./text_table.ts";

/** What came of one file. */
interface ConformedFile extends Conformance {
  readonly file: string;
}

/** `lab conform`: does the model do what the kernel did? */
export const conformCommand: Command = {
  name: "conform",
  summary: "hold the model against recordings of real kernels, event by event",
  operands: "TRACE...",
  options: [
    { name: "profile", value: "auto|NAME", summary: "which kernel the model is; auto: as the recording shows" },
    { name: "level", value: "1|2|3", summary: "how closely to look; 2 unless told" },
    { name: "json", summary: "print one JSON object instead of a table" },
  ],
  notes: [
    "A TRACE is a recording with markers, as text or gzip. Each of its operations is carried out on the model.",
    "Level 1: what came of each operation, every MMIO spte stored (raw), marked, checked and trusted.",
    "Level 2: also exits, faults and their results, MMIO, generations, zaps. A level includes those below it.",
    "Frames of page tables are renamed by a bijection, never ignored. Exits for interrupts of the host are left out.",
    "JSON, and exit code 1 if a level that was asked for has a mismatch:",
    '  {"version":1,"files":[{"file":..,"profile":..,"levels":{"1":{"matched":..,"total":..},"2":{..}},',
    '    "firstMismatch":null|{"level":..,"seq":..,"operation":..,"line":..,"kernel":..,"model":..}}]}',
  ],
  examples: [
    { args: "conform packages/fidelity/testdata/linux-3.11-ept/ept/s18.trace.txt.gz", does: "one recording" },
    { args: "conform *.trace.txt.gz --level 1 --json", does: "many, outcomes and MMIO sptes only" },
  ],
  async run(args, io) {
    if (args.operands.length === 0) throw new InputError("Name at least one recording");
    const profile = profileOf(args);
    const level = levelOf(args);
    const files: ConformedFile[] = [];
    await withProgress(io, async (progress) => {
      for (const [i, file] of args.operands.entries()) {
        progress.update("Conforming", i, args.operands.length);
        files.push({ file, ...await conformFile(file, profile, level, io) });
      }
    });
    io.stdout(args.flag("json") ? toJson(files) : toText(files));
    return files.every(agrees) ? ExitCode.DONE : ExitCode.FAILED;
  },
};

function profileOf(args: CommandArgs): Profile | undefined {
  return named<Profile | undefined>("profile", args.text("profile") ?? "auto", { auto: undefined, ...PROFILES });
}

function levelOf(args: CommandArgs): Level {
  const text = args.text("level") ?? "2";
  const level = LEVELS.find((known) => String(known) === text);
  if (level !== undefined) return level;
  throw new InputError(`Cannot use level '${text}': write ${LEVELS.join(" or ")}`);
}

async function conformFile(file: string, profile: Profile | undefined, level: Level, io: Io): Promise<Conformance> {
  const recording = await readTraceFile(file, io, (lines) => readRecordingStream(lines, { file }));
  try {
    return conformRecording(recording, { profile: profile ?? chooseProfile(recording), level, file });
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) {
      throw new InputError(`${file}: ${messageOf(error)}`, { cause: error });
    }
    throw error;
  }
}

function agrees({ levels }: Conformance): boolean {
  return Object.values(levels).every(({ matched, total }) => matched === total);
}

function toJson(files: readonly ConformedFile[]): string {
  const records = files.map(({ file, profile, levels, mismatches }) => ({
    file,
    profile,
    levels,
    firstMismatch: mismatches[0] ?? null,
  }));
  return JSON.stringify({ version: 1, files: records }) + "\n";
}

function toText(files: readonly ConformedFile[]): string {
  const asked = LEVELS.filter((level) => files[0].levels[level] !== undefined);
  const heading = ["recording", "profile", ...asked.map((level) => `level ${level}`)];
  const rows = files.map(({ file, profile, levels }) => [
    file.replace(/^.*[\\/](?=[^\\/]+[\\/][^\\/]+$)/, ""),
    profile,
    ...asked.map((level) => `${formatNumber(levels[level]!.matched)}/${formatNumber(levels[level]!.total)}`),
  ]);
  return textTable([heading, ...rows]) + files.filter((file) => !agrees(file)).map(firstMismatch).join("");
}

function firstMismatch({ file, mismatches }: ConformedFile): string {
  const { level, seq, operation, line, kernel, model } = mismatches[0];
  return `\n${file}:${line}: first mismatch, level ${level}, in operation seq=${seq}\n` +
    `  operation  ${operation}\n  kernel     ${kernel}\n  model      ${model}\n`;
}
