import type { KvmStats } from "@mmu-lab/paging";

/** A counter of KVM's that kernel and model count differently. */
export interface StatisticDifference {
  /** Its name in debugfs or in the binary statistics. */
  readonly name: string;
  /** What the kernel counted. */
  readonly kernel: number;
  /** What the model counted. */
  readonly model: number;
}

/** How far KVM's own statistics agree: those that both have. */
export interface StatisticsScore {
  /** Counters that agree. */
  readonly matched: number;
  /** Counters that kernel and model have. */
  readonly total: number;
  /** The others. */
  readonly differences: readonly StatisticDifference[];
}

/** A line of a `*.stats.txt`: `kvm NAME=N` of debugfs (3.11, 4.10), `vm NAME=N` or `vcpu0 NAME=N` of the binary statistics. */
const COUNTER = /^(?:kvm|vm|vcpu\d+) (\w+)=(\d+)\r?$/gm;

/**
 * Compares KVM's statistics at the end of a recording with the model's, for all counters that both have. Those of several
 * vCPUs count together. From `exits` those for interrupts of the host are taken off, which the kernel counts as
 * `irq_exits`: when they come depends on the host.
 *
 * @param text A `*.stats.txt` of the recorder.
 * @param statistics What the model counted.
 */
export function compareStatistics(text: string, statistics: Readonly<KvmStats>): StatisticsScore {
  const kernel = new Map<string, number>();
  for (const [, name, value] of text.matchAll(COUNTER)) kernel.set(name, (kernel.get(name) ?? 0) + Number(value));
  const exits = kernel.get("exits");
  if (exits !== undefined) kernel.set("exits", exits - (kernel.get("irq_exits") ?? 0));
  const both = Object.entries(statistics).filter(([name]) => kernel.has(name));
  const differences = both
    .filter(([name, model]) => kernel.get(name) !== model)
    .map(([name, model]) => ({ name, kernel: kernel.get(name)!, model }));
  return { matched: both.length - differences.length, total: both.length, differences };
}
