import { narrowEra } from "@mmu-lab/invalidation";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { ERAS } from "@mmu-lab/memslots";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { linux44, linux513 } from "./_kernels.ts";
import type { Bug } from "./bug.ts";
import {
  CREATE_BEHIND_L2,
  CREATE_IN_SMM,
  CREATE_UNUSED,
  CREATE_USED_BY_ONE,
  NUMBER_COMES_ROUND,
  WRAP_TO_ZERO,
} from "./bug_scenarios.ts";

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

/** 4.10 with nested EPT and the emulator of 4.13, and one of the ways to treat addresses of L2. */
function linux413Nested(nestedGpa: "compared" | "never-compared"): Profile {
  const base = PROFILES.linux_4_10_ept_nested;
  return {
    ...base,
    cacheRule: { ...base.cacheRule, nestedGpa },
    faultRules: { ...base.faultRules, emulatedAddress: "of-the-exit" },
  };
}

/** What is remembered outlives what it was made from. */
export const STALE_BUGS: readonly Bug[] = [
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
    world: { settled: "published" },
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
    numbers: { updatesInAll: 4, wrapAt: 2 },
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
    numbers: { updatesInAll: 4, wrapAt: 2 },
  },
  {
    id: "B19",
    title: "an address of L2 is taken for one of L1: it matches the MMIO cache",
    kernels: "3.12 to 4.13",
    fixedBy: { commit: undefined, subject: "KVM: x86: fix use of L1 MMIO areas in nested guests" },
    note:
      "Where the emulator goes by the address of the exit, from 4.11 on, the access comes to L1's device. Before, and in " +
      "linux_4_10_ept_nested, it comes where it should, and memory is emulated for as long as the cache stands.",
    breaks: "stale MMIO",
    breaksElsewhere: ["liveness"],
    profile: () => linux413Nested("compared"),
    fixed: () => linux413Nested("never-compared"),
    scenario: CREATE_BEHIND_L2,
  },
  {
    id: "B20",
    title: "in system management mode a vCPU's MMIO cache looks at the generation of the other address space",
    kernels: "4.2 to 2026",
    fixedBy: { commit: "b3e6212dea2e", subject: "KVM: x86: Use active memslots for the per-vCPU MMIO cache" },
    note: "CVE-2026-99082.",
    breaks: "stale MMIO",
    profile: () => linux513({ cacheRule: { generation: "full", skipWhileInFlux: true, addressSpace: "first" } }),
    fixed: () => linux513({ cacheRule: { generation: "full", skipWhileInFlux: true, addressSpace: "own" } }),
    scenario: CREATE_IN_SMM,
  },
];
