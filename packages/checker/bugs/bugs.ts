import { narrowEra } from "@mmu-lab/invalidation";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Era, ERAS } from "@mmu-lab/memslots";
import { EPT_ENTRIES_5_4, MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";
import type { Bug } from "./bug.ts";
import {
  CREATE_UNUSED,
  CREATE_USED_BY_BOTH,
  CREATE_USED_BY_ONE,
  NUMBER_COMES_ROUND,
  UPDATE_ELSEWHERE,
  WRAP_TO_ZERO,
} from "./bug_scenarios.ts";
import { FAULT_RULES_3_11 } from "@mmu-lab/paging";

/** 4.4 with a generation of 3 bits and some other parts: it is right but for B03, and B04 at a wrap. */
function linux44(parts: Partial<Profile> = {}): Profile {
  const base = PROFILES.linux_4_4_ept;
  return { ...base, era: narrowEra(base.era, 3), ...parts };
}

/** The same with another moment at which the wrap is looked for. */
function wrapCheckedAt(phase: "publishing" | "completed"): Profile {
  const { era } = linux44();
  return linux44({ era: { ...era, mmio: { ...era.mmio!, wrapCheckedAt: phase } } });
}

/** 4.19 with the wrap looked for before publication, and a test for zero that does not look at some low bits. */
function linux419(ignore: number): Profile {
  const era = narrowEra(ERAS.G3s, 4);
  return linux44({
    era: { ...era, mmio: { ...era.mmio!, wrap: { kind: "zero", ignore } } },
    layout: () => mmioLayout("linux_4_19_ept"),
  });
}

/** 5.6 to 5.10, a few updates before the number leaves the lower 9 bits: a real VM gets there after 256 updates. */
function linux510(layout: () => MmioLayout): Profile {
  const era: Era = { ...ERAS.G7, memslots: { ...ERAS.G7.memslots, start: (asId) => 508 + asId } };
  return { ...PROFILES.linux_5_13_ept, era, layout };
}

/** The layout of 5.6 to 5.10 (G6): bits 62:54 repeat g[8:0] where they should keep g[17:9]. Facts sheet 4.8. */
function layoutOf510(): MmioLayout {
  return new MmioLayout({
    name: "linux_5_10_ept",
    mask: 3n << 52n,
    value: 3n << 52n | 6n,
    accessMask: 0,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 54, genLow: 0, width: 9 }],
    generationMask: 0x3ffff,
    maxPhyAddr: 40,
    entryFormat: EPT_ENTRIES_5_4,
  });
}

const ALL: readonly Omit<Bug, "kind">[] = [
  {
    id: "B01",
    title: "a vCPU's MMIO cache outlives the memslots it was filled from",
    kernels: "3.11 to 3.16",
    fixedBy: { commit: "56f17dd3fbc4", subject: "kvm: x86: fix stale mmio cache bug" },
    breaks: "stale MMIO",
    profile: () => linux44({ cacheRule: { generation: "none", skipWhileInFlux: false } }),
    fixed: linux44,
    scenario: CREATE_USED_BY_ONE,
  },
  {
    id: "B02",
    title: "an MMIO spte made from old memslots carries the new number",
    kernels: "3.11 to 3.16",
    fixedBy: { commit: "ee3d1570b586", subject: "kvm: fix potentially corrupt mmio cache" },
    note: "The kernel that has it is 4.4 with the generation and layout of 3.11.",
    breaks: "stale MMIO",
    profile: () => linux44({ era: narrowEra(ERAS.G1, 3), layout: PROFILES.linux_3_11_ept.layout }),
    fixed: linux44,
    scenario: CREATE_UNUSED,
  },
  {
    id: "B03",
    title: "a vCPU's MMIO cache is filled while memslots are in flux",
    kernels: "3.17 to 5.0",
    fixedBy: { commit: "ddfd1730fd82", subject: "KVM: x86/mmu: Do not cache MMIO accesses while memslots are in flux" },
    breaks: "stale MMIO",
    profile: linux44,
    fixed: () => linux44({ cacheRule: { generation: "full", skipWhileInFlux: true } }),
    scenario: CREATE_UNUSED,
    settled: "published",
  },
  {
    id: "B04",
    title: "the number is published before the wrap zap",
    kernels: "3.12 to 5.0",
    fixedBy: {
      commit: "152482580a1b",
      subject: "KVM: Call kvm_arch_memslots_updated() before updating memslots",
    },
    note: "The commit zaps just before the final number, which in this model leaves a smaller window: docs/check.md. " +
      "The fixed kernel here zaps before publication.",
    breaks: "stale MMIO",
    profile: () => wrapCheckedAt("completed"),
    fixed: () => wrapCheckedAt("publishing"),
    scenario: WRAP_TO_ZERO,
  },
  {
    id: "B05",
    title: "the wrap of address space 0 is never noticed",
    kernels: "4.11 to 5.0",
    fixedBy: { commit: "e1359e2beb8b", subject: "KVM: x86/mmu: Detect MMIO generation wrap in any address space" },
    breaks: "stale MMIO",
    profile: () => linux419(0),
    fixed: () => linux419(3),
    scenario: NUMBER_COMES_ROUND,
  },
  {
    id: "B07",
    title: "the upper half of the number is stored from the wrong bits",
    kernels: "5.1 to 5.10",
    fixedBy: { commit: "34c0f6f2695a", subject: "KVM: mmu: Fix SPTE encoding of MMIO generation upper half" },
    note: "Its VM begins with a number that a real one reaches after some 250 updates.",
    breaks: "liveness",
    profile: () => linux510(layoutOf510),
    fixed: () => linux510(() => mmioLayout("linux_5_11_ept")),
    scenario: UPDATE_ELSEWHERE,
  },
  {
    id: "B23",
    title: "a spurious MMIO fault on a page that another vCPU has mapped kills the VM",
    kernels: "3.11 to 4.2",
    fixedBy: { commit: undefined, subject: "the test for reserved bits in 4.3 or 4.4" },
    breaks: "KVM_EXIT_UNKNOWN",
    profile: () => linux44({ faultRules: FAULT_RULES_3_11 }),
    fixed: linux44,
    scenario: CREATE_USED_BY_BOTH,
  },
];

/** The corpus: historical bugs by id, those that interleavings of small scenarios show. */
export const BUGS: Readonly<Record<string, Bug>> = Object.fromEntries(
  ALL.map((bug) => [bug.id, { ...bug, kind: "exploration" as const }]),
);
