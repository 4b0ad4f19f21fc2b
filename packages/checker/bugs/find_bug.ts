import { type ExplorationReport, explore, type ExploreOptions, replay, type WorldFactory } from "@mmu-lab/explorer";
import type { Profile } from "@mmu-lab/machine";
import { vmWorld } from "../vm_world.ts";
import type { Bug } from "./bug.ts";

/** What became of looking for a bug. */
export interface FoundBug {
  /** Whether the exploration broke the property that the bug breaks, with a schedule that replays to the same. */
  readonly found: boolean;
  /** The exploration of the kernel that has it. */
  readonly report: ExplorationReport;
  /** The same exploration with the fix. */
  readonly fixedReport: ExplorationReport;
  /** Whether every interleaving was covered with the fix, and nothing was wrong. */
  readonly fixedIsClean: boolean;
}

/**
 * The world in which a bug shows, for `explore` and `replay`.
 *
 * @param bug The bug.
 * @param profile The kernel; the one that has the bug unless told.
 */
export function bugWorld(bug: Bug, profile: Profile = bug.profile()): WorldFactory {
  return () => vmWorld(profile, bug.scenario, bug.world);
}

/**
 * Looks for a bug without knowing its schedule, and explores the fixed kernel in the same way.
 *
 * @param bug The bug.
 * @param options Bounds of both explorations; none unless told.
 */
export function findBug(bug: Bug, options: ExploreOptions = {}): FoundBug {
  const world = bugWorld(bug);
  const report = explore(world, options);
  const fixedReport = explore(bugWorld(bug, bug.fixed()), options);
  const { violation } = report;
  return {
    found: violation !== undefined && violation.message.includes(bug.breaks) &&
      replay(world, violation.schedule).violation === violation.message,
    report,
    fixedReport,
    fixedIsClean: fixedReport.verdict === "sound" && fixedReport.exhaustive,
  };
}
