/**
 * Work, counted where it is done. The counts are exact and the same on every machine, so tests and comparisons may
 * rely on them; a cost model turns them into virtual cycles.
 *
 * @module
 */

/** Every kind of work that is counted, with its weight in work units and what it counts. */
export const WORK_KINDS = [
  { name: "guestEntries", weight: 0, doc: "entries into the guest" },
  { name: "exits", weight: 0, doc: "exits from the guest into the kernel" },
  { name: "userspaceExits", weight: 0, doc: "exits from the kernel to user space" },
  { name: "emulations", weight: 0, doc: "instructions emulated" },
  { name: "walkReferences", weight: 1, doc: "page-table entries read by the processor" },
  { name: "guestWalks", weight: 0, doc: "walks of guest tables by KVM's own walker" },
  { name: "gptesRead", weight: 1, doc: "entries of guest tables read by KVM's own walker" },
  { name: "gptesWritten", weight: 0, doc: "guest writes to shadowed tables that KVM emulated" },
  {
    name: "pagesUnsynced",
    weight: 0,
    doc: "shadow pages marked as out of date, so that the guest may write their table",
  },
  { name: "pagesSynced", weight: 1, doc: "shadow pages brought up to date with their guest tables" },
  { name: "tlbHits", weight: 0, doc: "translations answered by a vCPU's TLB" },
  { name: "tlbFlushes", weight: 1, doc: "TLB flushes done by a vCPU" },
  { name: "remoteTlbFlushes", weight: 1, doc: "TLB flushes asked of all vCPUs" },
  { name: "slotLookups", weight: 1, doc: "searches of a memslot set by gfn" },
  { name: "mmioCacheHits", weight: 0, doc: "MMIO faults answered by the vCPU's own MMIO cache" },
  { name: "mmioFastHits", weight: 0, doc: "MMIO faults answered by a trusted MMIO spte" },
  { name: "mmioRefaults", weight: 0, doc: "MMIO sptes found stale when used (result INVALID)" },
  { name: "mmioSptesMarked", weight: 1, doc: "MMIO sptes written" },
  { name: "mmioSptesZapped", weight: 1, doc: "MMIO sptes cleared" },
  { name: "slowFaults", weight: 0, doc: "faults that went the long way, to the memslots and mmu_lock" },
  { name: "sptesVisited", weight: 1, doc: "shadow entries read by KVM in a walk, scan or zap" },
  { name: "sptesWritten", weight: 1, doc: "shadow entries written that map memory or a table" },
  { name: "pagesVisited", weight: 1, doc: "shadow pages looked at by a walk over pages" },
  { name: "pagesAllocated", weight: 1, doc: "shadow pages created" },
  { name: "pagesZapped", weight: 1, doc: "shadow pages zapped" },
  { name: "lockAcquisitions", weight: 1, doc: "times a lock was taken" },
  { name: "gracePeriods", weight: 1, doc: "SRCU grace periods waited for" },
  { name: "memslotUpdates", weight: 0, doc: "memslot changes carried out" },
  { name: "wrapZaps", weight: 0, doc: "times everything was zapped because the generation went round" },
] as const;

/** The name of one kind of work. */
export type WorkKind = (typeof WORK_KINDS)[number]["name"];

/** The place of each kind of work in {@linkcode WorkCounters.counts}. */
export const Work: Readonly<Record<WorkKind, number>> = Object.freeze(
  Object.fromEntries(WORK_KINDS.map((kind, index) => [kind.name, index])) as Record<WorkKind, number>,
);

const WEIGHTS = Float64Array.from(WORK_KINDS, (kind) => kind.weight);

/** Counters of work, one for each of {@linkcode WORK_KINDS}. */
export class WorkCounters {
  /** The counts; index them with {@linkcode Work}. Hot code adds here directly. */
  readonly counts: Float64Array = new Float64Array(WORK_KINDS.length);

  /**
   * The work done so far in work units: a unit is one entry, page, lookup, flush or lock handled. Which counts enter
   * is a modelling choice, the `weight` column of {@linkcode WORK_KINDS}: what would take the CPU time while others
   * wait, not the events that are merely worth knowing.
   *
   * @returns Work units, a non-negative integer.
   */
  units(): number {
    let units = 0;
    for (let kind = 0; kind < WEIGHTS.length; kind++) units += WEIGHTS[kind] * this.counts[kind];
    return units;
  }

  /** Sets every count back to zero. */
  reset(): void {
    this.counts.fill(0);
  }

  /** The counts by name, as a plain object for printing and JSON. */
  toJSON(): Record<WorkKind, number> {
    return Object.fromEntries(WORK_KINDS.map((kind, index) => [kind.name, this.counts[index]])) as Record<
      WorkKind,
      number
    >;
  }
}
