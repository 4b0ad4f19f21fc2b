import type { ExplorationReport } from "./report.ts";
import type { Replay } from "./replay.ts";

/**
 * An exploration's report as text for people.
 *
 * @param report The report.
 */
export function formatReport(report: ExplorationReport): string {
  const { verdict, exhaustive, scheduler, properties, runs, steps, states, pruned, depth, violation } = report;
  const covered = exhaustive ? "every interleaving" : "not every interleaving";
  const lines = [
    verdict === "sound" ? `sound within bounds (${covered})` : verdict,
    `  scheduler  ${scheduler}`,
    `  checked    ${properties.join(", ")}`,
    `  states     ${number(states)}, ${number(pruned)} met again`,
    `  runs       ${number(runs)}, ${number(steps)} steps in all, ${depth} in the longest`,
  ];
  if (violation !== undefined) {
    const { message, schedule, preemptions } = violation;
    lines.push(
      `  broken     ${message}`,
      `  schedule   ${schedule} (${violation.steps} steps, ${preemptions} preemptions)`,
    );
  }
  return lines.join("\n");
}

/** A replayed schedule as a numbered story: who did what, and what the state was then. */
export function formatStory(replay: Replay): string {
  const actorWidth = Math.max(...replay.steps.map(({ actor }) => actor.length));
  const stepWidth = Math.max(...replay.steps.map(({ step }) => step.length));
  const lines = replay.steps.map(({ actor, step, state }, i) =>
    `${String(i + 1).padStart(4)}. ${actor.padEnd(actorWidth)}  ${step.padEnd(stepWidth)}  ${state}`.trimEnd()
  );
  if (replay.violation !== undefined) lines.push(`      ${replay.violation}`);
  return lines.join("\n");
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
