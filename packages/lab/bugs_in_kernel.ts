import { type Bug, type BugInKernel, cannotShow, findBugIn } from "@mmu-lab/checker";
import { formatReport, formatStory, replay } from "@mmu-lab/explorer";
import type { Profile } from "@mmu-lab/machine";
import { ExitCode } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import type { Io } from "./io.ts";
import { withProgress } from "./progress.ts";
import { formatNumber, textTable } from "./text_table.ts";

/** A bug of the corpus with what became of looking for it in a kernel, or why it cannot show there. */
interface Looked {
  readonly bug: Bug;
  readonly lacks: string | undefined;
  readonly result: BugInKernel | undefined;
}

/**
 * Looks for bugs of the corpus in a kernel as it was released, and prints what was found.
 *
 * @returns `DONE`, whatever was found.
 */
export async function bugsIn(profile: Profile, bugs: readonly Bug[], args: CommandArgs, io: Io): Promise<ExitCode> {
  const all = await withProgress(io, (progress) =>
    bugs.map((bug, i): Looked => {
      const onProgress = () => progress.update(`Looking for ${bug.id} in ${profile.name}`, i, bugs.length);
      onProgress();
      const lacks = cannotShow(bug, profile);
      return { bug, lacks, result: lacks === undefined ? findBugIn(bug, profile, { onProgress }) : undefined };
    }));
  if (args.flag("json")) io.stdout(JSON.stringify(all.map((looked) => toRecord(profile, looked))) + "\n");
  else if (args.flag("story")) io.stdout(all.map(toStory).join("\n"));
  else io.stdout(toTable(all));
  return ExitCode.DONE;
}

function toRecord({ name }: Profile, { bug, lacks, result }: Looked) {
  const violation = result?.report.violation;
  return {
    id: bug.id,
    profile: name,
    found: result?.found ?? null,
    why: lacks ?? violation?.message ?? null,
    schedules: result?.report.runs ?? 0,
    states: result?.report.states ?? 0,
    steps: violation?.steps ?? null,
    schedule: violation?.schedule ?? null,
  };
}

/** In a word: whether it is there, whether something else is, or whether nothing is in every interleaving. */
function answer({ result }: Looked): string {
  if (result === undefined) return "-";
  if (result.found) return "yes";
  if (result.report.violation !== undefined) return "other";
  return result.report.exhaustive ? "no" : "unknown";
}

function toTable(all: readonly Looked[]): string {
  const rows = all.map((looked) => {
    const { bug, lacks, result } = looked;
    const violation = result?.report.violation;
    const numbers = result === undefined
      ? ["-", "-"]
      : [formatNumber(result.report.runs), String(violation?.steps ?? "-")];
    const what = lacks !== undefined
      ? `the kernel ${lacks}`
      : answer(looked) === "other"
      ? violation!.message
      : bug.title;
    return [bug.id, answer(looked), ...numbers, what];
  });
  const table = [["bug", "found", "schedules", "steps", "title"], ...rows];
  const width = Math.max(...table.map((row) => row.at(-1)!.length));
  return textTable(table.map((row) => [...row.slice(0, -1), row.at(-1)!.padEnd(width)]));
}

function toStory(looked: Looked): string {
  const { bug, lacks, result } = looked;
  const heading = `${bug.id}: ${bug.title}\n  found      ${answer(looked)}\n\n`;
  if (result === undefined) return `${heading}the kernel ${lacks}\n`;
  const { report, world } = result;
  const story = report.violation && `\n${formatStory(replay(world, report.violation.schedule))}\n`;
  return `${heading}${formatReport(report)}\n${story ?? ""}`;
}
