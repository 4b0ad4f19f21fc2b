import { generation, narrowEra } from "@mmu-lab/invalidation";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { ERAS } from "@mmu-lab/memslots";
import { FAULT_RULES_3_11, type FaultRules, WALK_RULES_3_11 } from "@mmu-lab/paging";
import { linux44, linux513, startingAt } from "./_kernels.ts";
import type { Bug } from "./bug.ts";
import {
  CLEAN_ENTRY,
  CREATE_USED_BY_BOTH,
  DELETE_UNUSED,
  NO_UPDATE,
  REWRITE_TO_MMIO,
  WRAP_BESIDE_ENDLESS,
} from "./bug_scenarios.ts";

/** 5.13 with a wrap that zaps in one of two ways. */
function wrapZapping(wrapZap: "everything" | "walk-with-breaks") {
  return linux513({ strategy: (era) => generation(era.mmio!, { wrapZap }) });
}

/** 5.13 whose number starts somewhere, and which has no slots of its own. */
function beginningAt(start: number) {
  return linux513({ era: startingAt(ERAS.G8, start), privateSlots: [] });
}

/** 5.13 that writes MMIO sptes over mappings, as its TDP MMU did, with one of the answers to an invalid slot. */
function overwriting(invalidSlot: FaultRules["invalidSlot"]) {
  const { faultRules } = PROFILES.linux_5_13_ept;
  return linux513({ faultRules: { ...faultRules, invalidSlot, mappingUnderMmio: "overwritten" } });
}

/** 3.11 on Intel without EPT, without B23, with some other parts. */
function shadow311(parts: Partial<Profile>): Profile {
  const base = PROFILES.linux_3_11_shadow;
  const faultRules = { ...base.faultRules, unexpectedSpte: "retry" as const };
  return { ...base, faultRules, era: narrowEra(ERAS.G1, 3), ...parts };
}

/** The same with one of the answers to a mapping where an MMIO spte is to be written. */
function shadowWriting(mappingUnderMmio: FaultRules["mappingUnderMmio"]): Profile {
  return shadow311({ faultRules: { ...FAULT_RULES_3_11, unexpectedSpte: "retry", mappingUnderMmio } });
}

/** The same with one of the places for the copy of a guest entry that a walk has changed. */
function shadowKeeping(updatedCopy: "own-level" | "level-above"): Profile {
  return shadow311({ walkRules: { ...WALK_RULES_3_11, updatedCopy } });
}

/** What goes wrong among actors, with nothing stale in it. */
export const RACE_BUGS: readonly Bug[] = [
  {
    id: "B06",
    title: "the walk at a wrap begins anew at each lock break, and never ends",
    kernels: "5.1 to 5.3",
    fixedBy: { commit: undefined, subject: "the return of what a8eca9dcc656 did: all pages become obsolete at a wrap" },
    note: "The vCPU goes on for ever. What is found is a circle in which both it and the ioctl take steps.",
    breaks: "livelock",
    profile: () => wrapZapping("walk-with-breaks"),
    fixed: () => wrapZapping("everything"),
    scenario: WRAP_BESIDE_ENDLESS,
    numbers: { updatesInAll: 4, wrapAt: 3 },
  },
  {
    id: "B10",
    title: "a start value of -150 has the in-progress flag set: nothing is remembered",
    kernels: "none (averted)",
    fixedBy: { commit: "0e32958ec449", subject: "KVM: Remove the hack to trigger memslot generation wraparound" },
    note:
      "The value went before the flag came to bit 63. The first update clears the flag, so it shows only in a VM that KVM gives no slot of its own.",
    breaks: "liveness",
    profile: () => beginningAt(-150),
    fixed: () => beginningAt(0),
    scenario: NO_UPDATE,
  },
  {
    id: "B23",
    title: "a spurious MMIO fault on a page that another vCPU has mapped kills the VM",
    kernels: "3.11 to 4.2",
    fixedBy: { commit: undefined, subject: "the test for reserved bits in 4.3 or 4.4" },
    breaks: "KVM_EXIT_UNKNOWN",
    breaksElsewhere: ["KVM_RUN fails with -1"],
    profile: () => linux44({ faultRules: FAULT_RULES_3_11 }),
    fixed: linux44,
    scenario: CREATE_USED_BY_BOTH,
  },
  {
    id: "B24",
    title: "an MMIO spte is written over a mapping of a slot that is being deleted",
    kernels: "5.10 to 5.12, TDP MMU",
    fixedBy: { commit: undefined, subject: "KVM: x86/mmu: Retry page faults that hit an invalid memslot" },
    note:
      "Its kernel is 5.13 with one fault path for both MMUs; what it shares with the TDP MMU is that nothing is dropped.",
    breaks: "kernel warning",
    profile: () => overwriting("mmio"),
    fixed: () => overwriting("retry"),
    scenario: DELETE_UNUSED,
  },
  {
    id: "B25",
    title: "an MMIO spte is written over the mapping of another page that was there before",
    kernels: "5.13 to 2026",
    fixedBy: {
      commit: undefined,
      subject: "KVM: x86/mmu: Drop/zap existing present SPTE even when creating an MMIO SPTE",
    },
    note: "CVE-2026-23401, introduced by a54aa15c6bda. Its kernel is 3.11's shadow MMU with that order of things.",
    breaks: "kernel warning",
    profile: () => shadowWriting("overwritten"),
    fixed: () => shadowWriting("dropped"),
    scenario: REWRITE_TO_MMIO,
  },
  {
    id: "B27",
    title: "the walker keeps a guest entry that it has changed one level too high, and the fault is tried again",
    kernels: "3.11",
    fixedBy: { commit: undefined, subject: "the right index of walker->ptes" },
    note: "An access that finds its accessed bit clear needs one exit more than it must.",
    breaks: "progress",
    profile: () => shadowKeeping("level-above"),
    fixed: () => shadowKeeping("own-level"),
    scenario: CLEAN_ENTRY,
    world: { exitsPerAccess: 1 },
  },
];
