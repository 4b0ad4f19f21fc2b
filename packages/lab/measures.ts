/**
 * What a race counts, as data: the keys of `counters` in JSON, the rows of the table, and what each means. All are exact
 * and the same on every machine.
 *
 * @module
 */

/** One thing that is counted. */
export interface Measure {
  /** Its key in JSON. */
  readonly key: string;
  /** Its row in the table. */
  readonly label: string;
  /** What it counts. */
  readonly doc: string;
}

/** Everything that is counted, in the order of the table. */
export const MEASURES = [
  { key: "accesses", label: "accesses", doc: "guest accesses carried out" },
  { key: "mmioAccesses", label: "  that went to a device", doc: "accesses of which a part was served as MMIO" },
  { key: "staleAccesses", label: "  WRONG", doc: "accesses that went to a device where memory is, or the reverse" },
  {
    key: "staleByCache",
    label: "    by the vCPU's cache",
    doc: "of staleAccesses: the vCPU's own MMIO cache answered as it had rightly learnt, before the change",
  },
  { key: "staleBySpte", label: "    by the strategy", doc: "of staleAccesses: all others" },
  { key: "mmioCacheHits", label: "MMIO cache hits", doc: "MMIO faults answered by the vCPU's own MMIO cache" },
  { key: "mmioFastHits", label: "MMIO fast hits", doc: "MMIO faults answered by an MMIO spte that was trusted" },
  {
    key: "mmioRefaults",
    label: "MMIO refaults",
    doc: "MMIO sptes found stale when used (INVALID): the long way again",
  },
  {
    key: "firstTouches",
    label: "MMIO first touches",
    doc: "MMIO sptes written where none was found: never touched, or zapped since",
  },
  { key: "memslotUpdates", label: "memslot updates", doc: "memslot changes carried out" },
  { key: "worstUpdateUnits", label: "worst update, units", doc: "work units of the most expensive memslot ioctl" },
  { key: "totalUpdateUnits", label: "all updates, units", doc: "work units of all memslot ioctls" },
  {
    key: "sweepUnits",
    label: "background sweep, units",
    doc: "work units of the strategy's background work, a piece after each update",
  },
  { key: "guestWalks", label: "guest walks", doc: "shadow paging: walks of the guest's page tables by KVM" },
  { key: "gptesRead", label: "  guest entries read", doc: "shadow paging: entries of the guest's tables read by KVM" },
  {
    key: "gptesWritten",
    label: "guest-table writes emulated",
    doc: "shadow paging: guest writes to write-protected tables, which KVM emulated",
  },
  {
    key: "pagesUnsynced",
    label: "pages gone unsync",
    doc: "shadow paging: shadow pages marked as out of date, so that the guest may write their table",
  },
  { key: "pagesSynced", label: "pages synced", doc: "shadow paging: shadow pages brought up to date with their table" },
  { key: "sptesVisited", label: "sptes visited", doc: "shadow entries read by KVM in a walk, scan or zap" },
  { key: "pagesVisited", label: "shadow pages visited", doc: "shadow pages looked at by a walk over pages" },
  { key: "pagesZapped", label: "shadow pages zapped", doc: "shadow pages zapped" },
  { key: "wrapZaps", label: "wrap zaps", doc: "times everything was zapped because the generation went round" },
  { key: "lockAcquisitions", label: "locks taken", doc: "times a lock was taken" },
  { key: "lockHoldUnits", label: "mmu_lock held, units", doc: "work units done under mmu_lock" },
  { key: "longestHoldUnits", label: "longest hold, units", doc: "work units of the longest hold of mmu_lock" },
  { key: "exits", label: "exits", doc: "exits from the guest into the kernel" },
  { key: "totalUnits", label: "all work, units", doc: "work units done in all" },
] as const satisfies readonly Measure[];

/** The key of one measure. */
export type MeasureKey = (typeof MEASURES)[number]["key"];

/** What a race counted under one strategy. */
export type Counters = Readonly<Record<MeasureKey, number>>;
