import type { WorkKind } from "@mmu-lab/protocol";
import { Histogram, type HistogramSummary, type LockReport, throughputOf } from "@mmu-lab/simulator";
import type { VmLoad } from "./simulate_load.ts";
import { Recorded, type VmSimulation } from "./simulate_vm.ts";

/** What was simulated. */
export interface SimulationInput {
  /** Name of the strategy. */
  readonly strategy: string;
  /** Name of the profile. */
  readonly profile: string;
  /** The cost model, as it was asked for. */
  readonly cost: string;
  /** Whether the generation was brought near its wrap before. */
  readonly wrap: boolean;
  /** What happened. */
  readonly load: VmLoad;
}

/** A simulation in numbers: the format of `simulate --json`. All times are virtual, in cycles. */
export interface SimulationSummary extends Omit<SimulationInput, "load">, VmLoad {
  /** Version of this format. */
  readonly version: 1;
  /** Shadow pages when it began. */
  readonly shadowPages: number;
  /** When the last vCPU, or the updater, was done. */
  readonly cycles: number;
  /** MMIO accesses of all vCPUs in a million cycles, until the last vCPU was done. */
  readonly throughput: number;
  /** How long MMIO accesses took. */
  readonly mmio: HistogramSummary;
  /** How long those took during which an update was going on, at least for a moment. */
  readonly mmioDuringUpdates: HistogramSummary;
  /** How long the memslot updates took. */
  readonly update: HistogramSummary;
  /** How long the MMIO accesses of each vCPU took. */
  readonly mmioByVcpu: readonly HistogramSummary[];
  /** `slots_lock` and `mmu_lock`: how they were taken, waited for and held. */
  readonly locks: readonly LockReport[];
  /** Cycles that updates waited for readers of memslots to leave. */
  readonly readersWait: number;
  /** Cycles of the strategy's background work. */
  readonly backgroundWork: number;
  /** Work counts. */
  readonly work: Readonly<Record<WorkKind, number>>;
}

const NOTHING: HistogramSummary = new Histogram().toJSON();

/** Puts what came of a simulation into numbers. */
export function summarize(input: SimulationInput, { report, shadowPages, work }: VmSimulation): SimulationSummary {
  const { load, ...rest } = input;
  const { operations, actors, locks, waits } = report;
  return {
    version: 1,
    ...rest,
    ...load,
    shadowPages,
    cycles: report.cycles,
    throughput: throughputOf(report, Recorded.ACCESS),
    mmio: operations[Recorded.ACCESS]?.toJSON() ?? NOTHING,
    mmioDuringUpdates: operations[Recorded.DURING_UPDATE]?.toJSON() ?? NOTHING,
    update: operations[Recorded.UPDATE]?.toJSON() ?? NOTHING,
    mmioByVcpu: actors.slice(0, load.vcpus).map((actor) => actor.operations[Recorded.ACCESS]?.toJSON() ?? NOTHING),
    locks,
    readersWait: waits.reduce((sum, { total }) => sum + total, 0),
    backgroundWork: actors[load.vcpus + 1]?.busy ?? 0,
    work,
  };
}
