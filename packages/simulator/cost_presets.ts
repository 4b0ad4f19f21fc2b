import { WORK_KINDS, type WorkKind } from "@mmu-lab/protocol";
import type { CostModel } from "./cost_model.ts";

/** Where the cost of a kind of work comes from. */
export interface Cost {
  /** Cycles for each piece of work; a non-negative integer. */
  readonly cycles: number;
  /**
   * `measured`: somebody published it, see the source. `derived`: reckoned from what somebody published. `choice`: a
   * modelling choice, for want of a number; it has the right order of magnitude and no more.
   */
  readonly basis: "measured" | "derived" | "choice";
  /** Who measured it, or how it was reckoned or chosen. */
  readonly source: string;
}

/** A cost model with a source for each of its numbers. */
export interface CostPreset {
  /** Its name. */
  readonly name: string;
  /** What it stands for, in one line. */
  readonly summary: string;
  /** Cost and source of each kind of work. */
  readonly costs: Readonly<Record<WorkKind, Cost>>;
}

/** The cost model of a preset, or a copy of it with some numbers changed. */
export function costsOf(preset: CostPreset, changes: Partial<CostModel> = {}): CostModel {
  const own = Object.fromEntries(WORK_KINDS.map(({ name }) => [name, preset.costs[name].cycles]));
  return { ...own as Record<WorkKind, number>, ...changes };
}

const measured = (cycles: number, source: string): Cost => ({ cycles, basis: "measured", source });
const derived = (cycles: number, source: string): Cost => ({ cycles, basis: "derived", source });
const choice = (cycles: number, source: string): Cost => ({ cycles, basis: "choice", source });

const EVENT = choice(0, "an event: what is done about it counts as other work");
const SPLITX =
  "SplitX (HotOS 2011), table 1: 2,000 cycles a VM exit, Xeon X5570, KVM 2.6.34, direct cost; in two halves";
const ROTH = "M. Roth, LKML 2020-12 (2012.2/00527), AMD EPYC";
const SLOT_SEARCH = "d4ae84a02bc6 (I. Mammedov, 2014)";

/** What does not differ between the presets: choices, and what was reckoned without regard to the processor. */
const COMMON = {
  walkReferences: choice(20, "a cache hit between L2 and L3"),
  guestWalks: EVENT,
  gptesRead: choice(40, "finding the slot that was found last, and a load from user memory between L2 and L3"),
  tlbHits: choice(0, "part of the guest's own time"),
  tlbFlushes: choice(500, "INVEPT or a new ASID, and the misses that follow"),
  remoteTlbFlushes: choice(2000, "an IPI and its answer; does not grow with the vCPUs"),
  mmioCacheHits: EVENT,
  mmioFastHits: EVENT,
  mmioRefaults: EVENT,
  mmioSptesMarked: choice(20, "a store to an entry in the cache"),
  mmioSptesZapped: choice(20, "a store to an entry in the cache"),
  slowFaults: choice(500, "filling the memory caches, host frame lookup, mmu_notifier check"),
  gptesWritten: EVENT,
  pagesUnsynced: EVENT,
  pagesSynced: choice(200, "a page of 512 entries, most of them empty; its gptesRead and sptesWritten count beside"),
  sptesVisited: choice(3, "a scan in order through the cache: about 1 ns, as bench/limit measures in C"),
  sptesWritten: choice(40, "a store to an entry, and its rmap"),
  pagesVisited: derived(
    71,
    "982b3394dd23 (T. Yoshikawa, 3.10): a walk that zaps few pages takes 50 us in a guest of 4 GiB; over 2,048 leaf " +
      "tables of 4 KiB pages that is 24 ns each, at 2.93 GHz",
  ),
  pagesAllocated: choice(1000, "clearing 4 KiB, hash and lists"),
  pagesZapped: choice(1000, "unlinking, hash and lists, freeing; its 512 entries count as sptesVisited"),
  lockAcquisitions: choice(100, "an atomic operation on a line from another core's cache; waiting comes on top"),
  gracePeriods: choice(10_000, "synchronize_srcu_expedited without readers; waiting for readers comes on top"),
  wrapZaps: EVENT,
} as const;

/** The cost models of the lab, by name. */
export const COST_PRESETS: Readonly<Record<"nehalem-2011" | "epyc-2020", CostPreset>> = {
  "nehalem-2011": {
    name: "nehalem-2011",
    summary: "Xeon X5570 and the KVM of its time: exits are dear, memslots are copied whole and searched one by one",
    costs: {
      ...COMMON,
      guestEntries: derived(1000, SPLITX),
      exits: derived(1000, SPLITX),
      userspaceExits: choice(1800, "as to an exit, the ratio that epyc-2020 has; the program's own time is not in it"),
      emulations: derived(
        4000,
        "systemtap's sample kvm_service_time.txt: an exit for EPT misconfiguration is served in 1.9 us on average (105 " +
          "exits, 201 us), some 5,600 cycles at 2.93 GHz; less 1,600 for what is counted apart",
      ),
      slotLookups: measured(46, `${SLOT_SEARCH}: before the cache of the slot that was found last`),
      memslotUpdates: derived(
        12_000,
        "S. Christopherson's cover letter of 2019-10: some 90 kB of memslots are copied; at 8 bytes a cycle, and the " +
          "system call",
      ),
    },
  },
  "epyc-2020": {
    name: "epyc-2020",
    summary: "AMD EPYC and a KVM of 2020: cheap exits, small memslots",
    costs: {
      ...COMMON,
      guestEntries: derived(680, `${ROTH}: 1,344 to 1,376 cycles from VMRUN to VMEXIT; half of 1,360`),
      exits: derived(680, `${ROTH}: the other half`),
      userspaceExits: derived(
        1192,
        `${ROTH}: 2,528 to 2,576 cycles for the whole KVM_RUN ioctl; 2,552 less 1,360; the program's own time is not in it`,
      ),
      emulations: choice(2000, "half of nehalem-2011"),
      slotLookups: measured(28, `${SLOT_SEARCH}: with the cache of the slot that was found last`),
      memslotUpdates: derived(
        2000,
        "S. Christopherson's cover letter of 2019-10: 2.6 kB of memslots for 30 slots; a few hundred cycles, and the " +
          "system call",
      ),
    },
  },
};
