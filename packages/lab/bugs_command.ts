import { type Bug, BUGS, bugWorld, findBug, type FoundBug } from "@mmu-lab/checker";
import { formatReport, formatStory, replay } from "@mmu-lab/explorer";
import { PROFILES } from "@mmu-lab/machine";
import { bugsIn } from "./bugs_in_kernel.ts";
import { type Command, ExitCode } from "./command.ts";
import { withProgress } from "./progress.ts";
import { named } from "./suggest.ts";
import { formatNumber, textTable } from "./text_table.ts";

/** Room for the kernels that have a bug, in the table. */
const KERNELS_WIDTH = 23;

/** A bug of the corpus with what became of looking for it. */
interface Result extends FoundBug {
  readonly bug: Bug;
}

/** `lab bugs`: are the bugs of history found, and are their fixes clean? */
export const bugsCommand: Command = {
  name: "bugs",
  summary: "find historical bugs of KVM's MMIO caching, without being told their schedules",
  operands: "[ID...]",
  options: [
    { name: "profile", value: "P", summary: "look for them in this kernel as it was released; see below" },
    { name: "story", summary: "tell each bug's schedule, step by step" },
    { name: "json", summary: "print one JSON array" },
  ],
  notes: [
    "Each bug is a kernel put together wrongly in one part. Every interleaving of a small scenario is tried, few",
    "preemptions first, until one goes wrong; then the same with the fix, where none may. docs/check.md says more.",
    "Exit code 1 if a bug is not found, or its fix is not clean.",
    "With --profile the scenario of each bug is explored on a kernel as released, and the table says whether it has the bug.",
    "Where it has B01, others of the same effect cannot be told from it. Exit code 0, whatever is found.",
    "",
    ...Object.values(BUGS).map(({ id, title }) => `  ${id}  ${title}`),
    "",
    'JSON: [{"id":"B04","found":true,"fixedIsClean":true,"schedules":..,"states":..,"steps":..,"schedule":".."}];',
    "schedules, states: how many until it was found; steps: those of the schedule, which is null if none was found.",
    'With --profile: [{"id":..,"profile":..,"found":true|false|null,"why":..,"schedules":..,"states":..,"steps":..,',
    '"schedule":..}]; found is null where the bug cannot show, and why then says what the kernel lacks.',
  ],
  examples: [
    { args: "bugs", does: "bugs of history, found again" },
    { args: "bugs B04 --story", does: "how one goes" },
    { args: "bugs --profile linux_5_1_npt", does: "which of them Linux 5.1 has" },
  ],
  async run(args, io) {
    const bugs = args.operands.length === 0
      ? Object.values(BUGS)
      : args.operands.map((id) => named("bug", id.toUpperCase(), BUGS));
    const profile = args.text("profile");
    if (profile !== undefined) return await bugsIn(named("profile", profile, PROFILES), bugs, args, io);
    const results = await withProgress(io, (progress) =>
      bugs.map((bug, i): Result => {
        const onProgress = () => progress.update(`Looking for ${bug.id}`, i, bugs.length);
        onProgress();
        return { bug, ...findBug(bug, { onProgress }) };
      }));
    if (args.flag("json")) io.stdout(JSON.stringify(results.map(toRecord)) + "\n");
    else if (args.flag("story")) io.stdout(results.map(toStory).join("\n"));
    else io.stdout(toTable(results));
    const good = results.every(({ found, fixedIsClean }) => found && fixedIsClean);
    return good ? ExitCode.DONE : ExitCode.FAILED;
  },
};

function toRecord({ bug, found, fixedIsClean, report }: Result) {
  const { violation, runs, states } = report;
  return {
    id: bug.id,
    found,
    fixedIsClean,
    schedules: runs,
    states,
    steps: violation?.steps ?? null,
    schedule: violation?.schedule ?? null,
  };
}

function toTable(results: readonly Result[]): string {
  const heading = ["bug", "found", "schedules", "steps", "fix clean"];
  const words = (kernels: string, commit: string, title: string) =>
    `${kernels.padEnd(KERNELS_WIDTH)}  ${commit.padEnd(12)}  ${title}`;
  const rows = results.map(({ bug, found, fixedIsClean, report }) => [
    bug.id,
    found ? "yes" : "NO",
    formatNumber(report.runs),
    report.violation === undefined ? "-" : String(report.violation.steps),
    fixedIsClean ? "yes" : "NO",
    words(bug.kernels, bug.fixedBy.commit ?? "-", bug.title),
  ]);
  const all = [[...heading, words("kernels", "fixed by", "title")], ...rows];
  const width = Math.max(...all.map((row) => row.at(-1)!.length));
  return textTable(all.map((row) => [...row.slice(0, -1), row.at(-1)!.padEnd(width)]));
}

function toStory({ bug, found, report, fixedReport, fixedIsClean }: Result): string {
  const { commit, subject } = bug.fixedBy;
  const lines = [
    `${bug.id}: ${bug.title}`,
    `  kernels    ${bug.kernels}`,
    `  fixed by   ${commit === undefined ? subject : `${commit} "${subject}"`}`,
    ...(bug.note === undefined ? [] : [`  note       ${bug.note}`]),
    `  scenario   ${bug.scenario.summary}`,
    `  found      ${found ? "yes" : "NO"}; fix clean: ${fixedIsClean ? "yes" : "NO"}, ${
      formatNumber(fixedReport.states)
    } states`,
    "",
    formatReport(report),
  ];
  if (report.violation !== undefined) {
    lines.push("", formatStory(replay(bugWorld(bug), report.violation.schedule)));
  }
  return lines.join("\n") + "\n";
}
