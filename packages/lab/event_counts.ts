import { PROFILES } from "@mmu-lab/machine";
import {
  CHECK_MMIO_SPTE,
  COMMIT_MEMORY_REGION,
  HANDLE_MMIO_PAGE_FAULT,
  MARK_MMIO_SPTE,
  MMU_SPTE_SET,
  type TraceEvent,
  type TraceSink,
} from "@mmu-lab/tracing";
import type { Recording, Scenario } from "@mmu-lab/workloads";
import { runScenario } from "./run_scenario.ts";

/** What is counted in a recording, and in a model of it, with a name for people. */
export const EVENT_COUNTS = [
  { key: "accesses", label: "guest accesses" },
  { key: "mmioAccesses", label: "  that a device served" },
  { key: "updates", label: "memslot updates (commit_memory_region)" },
  { key: "marks", label: "MMIO sptes made (mark_mmio_spte)" },
  { key: "checks", label: "MMIO sptes checked (check_mmio_spte)" },
  { key: "stale", label: "  found stale (valid 0)" },
  { key: "handled", label: "  trusted (handle_mmio_page_fault)" },
  { key: "sptesSet", label: "sptes set, of any kind (mmu_spte_set)" },
] as const;

/** What was counted. */
export type EventCounts = Readonly<Record<(typeof EVENT_COUNTS)[number]["key"], number>>;

/** What was counted in the model, which also knows what was wrong. */
export interface ModelCounts extends EventCounts {
  /** Accesses that a vCPU's own MMIO cache sent to a device where memory was (bug B01). */
  readonly staleByCache: number;
}

const COUNTED = {
  updates: COMMIT_MEMORY_REGION,
  marks: MARK_MMIO_SPTE,
  checks: CHECK_MMIO_SPTE,
  handled: HANDLE_MMIO_PAGE_FAULT,
  sptesSet: MMU_SPTE_SET,
} as const satisfies Partial<Record<keyof EventCounts, TraceEvent>>;

/** Slot of `valid` among those of CHECK_MMIO_SPTE. */
const VALID = 4;

/** Counts what a kernel did, as its trace tells. */
export function recordedCounts(recording: Recording): EventCounts {
  const lines = [...recording.before, ...recording.operations.flatMap(({ events, after }) => [...events, ...after])];
  const outcomes = recording.operations.flatMap(({ outcome }) => outcome.kind ?? []);
  return {
    accesses: outcomes.length,
    mmioAccesses: outcomes.filter((kind) => kind === "mmio").length,
    ...countEach((event) => lines.filter(({ name }) => name === event.name).length),
    stale: lines.filter(({ name, text }) => name === CHECK_MMIO_SPTE.name && text.endsWith("valid 0")).length,
  };
}

/** Counts what the model does in the same scenario, under the profile of that name. */
export function modelCounts(scenario: Scenario, profile: string): ModelCounts {
  const counts = new Map<TraceEvent, number>();
  let stale = 0;
  const trace: TraceSink = {
    on: true,
    emit(event, _vcpu, ...slots) {
      counts.set(event, (counts.get(event) ?? 0) + 1);
      if (event === CHECK_MMIO_SPTE && slots[VALID] === 0) stale++;
    },
  };
  const { counters } = runScenario(scenario, PROFILES[profile], { trace });
  return {
    accesses: counters.accesses,
    mmioAccesses: counters.mmioAccesses,
    staleByCache: counters.staleByCache,
    ...countEach((event) => counts.get(event) ?? 0),
    stale,
  };
}

function countEach(count: (event: TraceEvent) => number): Record<keyof typeof COUNTED, number> {
  return Object.fromEntries(Object.entries(COUNTED).map(([key, event]) => [key, count(event)])) as Record<
    keyof typeof COUNTED,
    number
  >;
}
