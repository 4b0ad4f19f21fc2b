import type { Scenario } from "./scenario.ts";

/** How large a generated workload is, and which of its kind. */
export interface WorkloadOptions {
  /** Size of the workload, at least 1: pages, rounds or operations, as its summary says. */
  readonly pages: number;
  /** How many vCPUs take turns, at least 1. */
  readonly vcpus: number;
  /** Which of the workloads of this kind: the same seed gives the same scenario, everywhere. */
  readonly seed: number;
}

/** A kind of workload. */
export interface Workload {
  /** What it does and what it shows, in one line, with the meaning of `pages`. */
  readonly summary: string;
  /** A size that runs in well under a second. */
  readonly defaultPages: number;
  /**
   * Makes one. O(operations) time and memory.
   *
   * @throws {RangeError} If an option is out of range.
   */
  generate(options: WorkloadOptions): Scenario;
}
