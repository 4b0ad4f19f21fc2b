import {
  compareStatistics,
  conformTrace,
  DEFAULT_LEVEL,
  type Level,
  LEVELS,
  LINES_TO_EXPLAIN,
  type OnExplained,
  type StatisticsScore,
  type TraceConformance,
} from "@mmu-lab/fidelity";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Command, ExitCode } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { agrees, type ConformedFile, conformJson, conformText } from "./format_conformance.ts";
import { InputError, messageOf, origin } from "./input_error.ts";
import { type Io, readText } from "./io.ts";
import { withProgress } from "./progress.ts";
import { readTraceFile } from "./read_trace_file.ts";
import { releaseBeside } from "./release_beside.ts";
import { named } from "./suggest.ts";
import { formatNumber } from "./text_table.ts";

/** `lab conform`: does the model do what the kernel did? */
export const conformCommand: Command = {
  name: "conform",
  summary: "hold the model against recordings of real kernels, event by event",
  operands: "TRACE...",
  options: [
    { name: "profile", value: "auto|NAME", summary: "which kernel the model is; auto: as the recording shows" },
    { name: "level", value: LEVELS.join("|"), summary: `how closely to look; ${DEFAULT_LEVEL} unless told` },
    { name: "json", summary: "print one JSON object instead of a table" },
  ],
  notes: [
    "A TRACE is a recording with markers, as text or gzip, or several of one kernel one after another. Each operation is",
    "carried out on the model, compared and dropped, so that a trace may be of any length.",
    "Level 1: what came of each operation, every MMIO spte stored (raw), marked, checked and trusted.",
    "Level 2: also exits, faults and their results, MMIO, generations, zaps. A level includes those below it.",
    "Level 3: also shadow pages made and zapped, every entry written (all 64 bits), requests, walks of guest tables.",
    "auto goes by what the recording shows; where two kernels look alike, by the release in meta/uname.txt or",
    "meta/version.txt beside it, or in the names of its folders, such as linux-3.13/npt.",
    "Frames and host pointers are renamed by a bijection, never ignored. Exits for interrupts of the host are left out.",
    "Where operations overlap, the model conforms if it does what is recorded in some order of its acts that the events of",
    `each thread allow. Such an order is looked for, which takes seconds; in traces of up to ${
      formatNumber(LINES_TO_EXPLAIN)
    } lines.`,
    "Where NAME.stats.txt lies beside NAME.trace.txt(.gz), KVM's own statistics are compared too, those that the model has.",
    "",
    "Exit code 2 if a file cannot be used, else 1 if a level that was asked for has a mismatch. A file that cannot be used",
    "does not keep the others from being compared. How long it took goes to standard error.",
    "",
    "JSON; a file that cannot be used has profile null, no levels, and error, which says why:",
    '  {"version":1,"files":[{"file":..,"profile":..,"levels":{"1":{"matched":..,"total":..},"2":{..}},',
    '    "firstMismatch":null|{"level":..,"seq":..,"operation":..,"line":..,"kernel":..,"model":..,',
    '      "recent":[{"kernel":..,"model":..}]},',
    '    "statistics":null|{"matched":..,"total":..,"differences":[{"name":..,"kernel":..,"model":..}]}}],',
    '  "wallClock":{"lines":..,"seconds":..,"linesPerSecond":..}}',
  ],
  examples: [
    { args: "conform packages/fidelity/testdata/linux-3.11-ept/ept/s18.trace.txt.gz", does: "one recording" },
    { args: "conform *.trace.txt.gz --level 1 --json", does: "many, outcomes and MMIO sptes only" },
  ],
  async run(args, io) {
    if (args.operands.length === 0) throw new InputError("Name at least one recording");
    const options = { ...profileOf(args), level: levelOf(args) };
    const files: ConformedFile[] = [];
    const start = performance.now();
    await withProgress(io, async (progress) => {
      for (const [i, file] of args.operands.entries()) {
        progress.update("Conforming", i, args.operands.length);
        const onExplained = (line: number, last: number) =>
          progress.update(`Looking for the order of what overlaps in ${file}`, line, last);
        files.push(await conformFile(file, { ...options, onExplained }, io));
      }
    });
    const seconds = (performance.now() - start) / 1000;
    const lines = files.reduce((sum, { conformance }) => sum + (conformance?.lines ?? 0), 0);
    if (args.flag("json")) io.stdout(conformJson(files, { lines, seconds }));
    else io.stdout(conformText(files, options.level));
    for (const { error } of files) if (error !== undefined) io.stderr(`lab conform: ${error}\n`);
    if (lines > 0) {
      const speed = `${seconds.toFixed(1)} s, ${formatNumber(Math.round(lines / seconds))} lines/s`;
      io.stderr(`lab conform: ${formatNumber(lines)} lines in ${speed}\n`);
    }
    return exitCode(files);
  },
};

function exitCode(files: readonly ConformedFile[]): ExitCode {
  if (files.some(({ error, isBroken }) => error !== undefined && !isBroken)) return ExitCode.BAD_INPUT;
  return files.every(agrees) ? ExitCode.DONE : ExitCode.FAILED;
}

function profileOf(args: CommandArgs): { profile?: Profile } {
  const known = { auto: undefined, ...PROFILES };
  const profile = named<Profile | undefined>("profile", args.text("profile") ?? "auto", known);
  return profile === undefined ? {} : { profile };
}

function levelOf(args: CommandArgs): Level {
  const text = args.text("level") ?? String(DEFAULT_LEVEL);
  const level = LEVELS.find((known) => String(known) === text);
  if (level !== undefined) return level;
  throw new InputError(`Cannot use level '${text}': write ${LEVELS.slice(0, -1).join(", ")} or ${LEVELS.at(-1)}`);
}

/** Whatever happens with one file, the others are compared. */
async function conformFile(
  file: string,
  options: { readonly profile?: Profile; readonly level: Level; readonly onExplained: OnExplained },
  io: Io,
): Promise<ConformedFile> {
  try {
    const release = options.profile === undefined ? await releaseBeside(file, io) : undefined;
    const known = { ...options, file, ...(release === undefined ? {} : { release }) };
    const conformance = await readTraceFile(file, io, (open) => conformTrace(open, known));
    const statistics = await statisticsBeside(file, conformance, io);
    return { file, conformance, ...(statistics === undefined ? {} : { statistics }) };
  } catch (error) {
    if (error instanceof InputError) return { file, error: messageOf(error) };
    const what = `Something broke at ${file} that is no fault of yours; please report it: ${origin(error)}`;
    return { file, error: what, isBroken: true };
  }
}

/** What the recorder names a trace, and the statistics that it writes at the end. */
const TRACE_NAME = /\.trace\.txt(?:\.gz)?$/;

/** How far KVM's statistics agree that lie beside a recording as the recorder names them; `undefined` if there are none. */
async function statisticsBeside(
  file: string,
  { statistics }: TraceConformance,
  io: Io,
): Promise<StatisticsScore | undefined> {
  if (!TRACE_NAME.test(file)) return undefined;
  try {
    return compareStatistics(await readText(io, file.replace(TRACE_NAME, ".stats.txt")), statistics);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
