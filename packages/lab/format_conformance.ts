import { type Level, LEVELS, type Mismatch, type StatisticsScore, type TraceConformance } from "@mmu-lab/fidelity";
import { formatNumber, textTable } from "./text_table.ts";

/** What came of one file: a conformance, or an error. */
export interface ConformedFile {
  /** The file. */
  readonly file: string;
  /** How far it agrees. */
  readonly conformance?: TraceConformance;
  /** How far KVM's own statistics agree, if those of the recording lie beside it. */
  readonly statistics?: StatisticsScore;
  /** Why it could not be used, in a line that names it. */
  readonly error?: string;
  /** Whether that is no fault of the file. */
  readonly isBroken?: boolean;
}

/** Whether the model did what the kernel did, at all levels that were asked for. Statistics are beside the point. */
export function agrees({ conformance }: ConformedFile): boolean {
  return conformance !== undefined &&
    Object.values(conformance.levels).every(({ matched, total }) => matched === total);
}

/** The JSON object that `lab conform --json` prints; its help describes it. */
export function conformJson(
  files: readonly ConformedFile[],
  { lines, seconds }: { lines: number; seconds: number },
): string {
  const records = files.map(({ file, conformance, statistics, error }) => ({
    file,
    profile: conformance?.profile ?? null,
    levels: conformance?.levels ?? {},
    firstMismatch: conformance?.mismatches[0] ?? null,
    statistics: statistics ?? null,
    ...(error === undefined ? {} : { error }),
  }));
  const wallClock = { lines, seconds, linesPerSecond: Math.round(lines / seconds) };
  return JSON.stringify({ version: 1, files: records, wallClock }) + "\n";
}

/** The table that `lab conform` prints, and the first mismatch of each file that has one. Nothing if no file could be used. */
export function conformText(files: readonly ConformedFile[], level: Level): string {
  if (files.every(({ conformance }) => conformance === undefined)) return "";
  const asked = LEVELS.filter((known) => known <= level);
  const counted = files.some(({ statistics }) => statistics !== undefined);
  const heading = ["recording", "profile", ...asked.map((known) => `level ${known}`), ...(counted ? ["stats"] : [])];
  const names = shortNames(files.map(({ file }) => file));
  const rows = files.map(({ conformance, statistics }, i) => {
    const last = counted ? [statistics === undefined ? "-" : `${statistics.matched}/${statistics.total}`] : [];
    if (conformance === undefined) return [names[i], "cannot be used", ...asked.map(() => "-"), ...last];
    const { profile, levels } = conformance;
    const scores = asked.map((known) => levels[known]!);
    return [
      names[i],
      profile,
      ...scores.map(({ matched, total }) => `${formatNumber(matched)}/${formatNumber(total)}`),
      ...last,
    ];
  });
  const mismatches = files.map(({ file, conformance, statistics }) =>
    differences(file, statistics) + firstMismatch(file, conformance?.mismatches[0])
  );
  return textTable([heading, ...rows]) + mismatches.join("");
}

function differences(file: string, statistics: StatisticsScore | undefined): string {
  if (statistics === undefined || statistics.differences.length === 0) return "";
  const lines = statistics.differences.map(({ name, kernel, model }) =>
    `  ${name}: the kernel ${formatNumber(kernel)}, the model ${formatNumber(model)}\n`
  );
  return `\n${file}: statistics differ\n${lines.join("")}`;
}

/** Files by the ends of their paths: two parts, and as many more as it takes to tell all apart. */
function shortNames(files: readonly string[]): string[] {
  const parts = files.map((file) => file.split(/[\\/]/));
  const longest = Math.max(...parts.map(({ length }) => length));
  for (let count = 2; count < longest; count++) {
    const names = parts.map((all) => all.slice(-count).join("/"));
    if (new Set(names).size === new Set(files).size) return names;
  }
  return [...files];
}

function firstMismatch(file: string, mismatch: Mismatch | undefined): string {
  if (mismatch === undefined) return "";
  const { level, seq, operation, line, kernel, model, recent } = mismatch;
  const head = `\n${file}:${line}: first mismatch, level ${level}, in operation seq=${seq}\n` +
    `  operation  ${operation}\n  kernel     ${kernel}\n  model      ${model}\n`;
  if (recent.length === 0) return head;
  const both = [...recent, mismatch];
  const width = Math.max(...both.map((pair) => pair.kernel.length));
  const rows = both.map((pair) => {
    const mark = pair.kernel === pair.model ? " " : "|";
    return `  ${pair.kernel.padEnd(width)} ${mark} ${pair.model}\n`;
  });
  return `${head}  the last events, kernel and model:\n${rows.map((row) => row.trimEnd() + "\n").join("")}`;
}
