import { STRATEGIES } from "@mmu-lab/invalidation";
import { ERAS } from "@mmu-lab/memslots";
import {
  FAULT_RULES_3_11,
  FAULT_RULES_6_1,
  NESTED_RULES_4_10,
  NESTED_RULES_5_13,
  PAGE_RULES_4_10,
  PAGE_RULES_6_1,
  PAGE_RULES_6_12,
  SHADOW_RULES_4_10,
  SHADOW_RULES_6_1,
  WALK_RULES_3_11,
  WALK_RULES_4_10,
  WALK_RULES_6_1,
} from "@mmu-lab/paging";
import { nptBackend, svmShadowBackend } from "@mmu-lab/svm-backend";
import { eptBackend, vmxShadowBackend } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import { eraProfiles } from "./era_profiles.ts";
import type { Profile } from "./profile.ts";
import { profiles419 } from "./profiles_4_19.ts";
import { lateShadowProfiles, shadowProfiles } from "./shadow_profiles.ts";

/** The processor of the recordings: a Haswell with 40 physical address bits. */
const HASWELL = { maxPhyAddr: 40, executeOnly: true, maxPageLevel: 3, accessedDirty: true } as const;

/** The processor of the recordings on AMD: a Phenom with 40 physical address bits, as QEMU's TCG interprets it. */
const PHENOM = {
  maxPhyAddr: 40,
  maxPageLevel: 3,
  reservedFaultIsPresent: false,
  readModifyWrite: "read-then-write",
} as const;

const LINUX_3_11_EPT: Profile = {
  name: "linux_3_11_ept",
  summary: "Linux 3.11 as released, Intel EPT with accessed and dirty bits; its MMIO cache has bug B01",
  era: ERAS.G1,
  layout: layoutNamed("linux_3_11_ept"),
  backend: () => eptBackend(HASWELL),
  strategy: STRATEGIES.generation.create,
  rootLevel: 4,
  cacheRule: { generation: "none", skipWhileInFlux: false },
  faultRules: FAULT_RULES_3_11,
  walkRules: WALK_RULES_3_11,
  slotLimits: { userSlots: 125, privateSlots: 3 },
  // The identity map for real mode without paging (vmx.c, alloc_identity_pagetable).
  privateSlots: [{ id: 0x7f, gpa: 0xfffbc000, size: 0x1000 }],
  slotsDeletedAtEnd: [0x7e, 0x7f, 0x7d],
  flushSlot: "obsolete-all",
};

const LINUX_3_17_EPT: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_17_ept",
  summary: "Linux 3.17, Intel EPT: generation with an in-progress mark, MMIO cache with a generation",
  // Address spaces came with 4.2.
  era: { ...ERAS.G2, memslots: { ...ERAS.G2.memslots, addressSpaces: 1 } },
  layout: layoutNamed("linux_3_17_ept"),
  cacheRule: { generation: "full", skipWhileInFlux: false },
};

const LINUX_4_4_EPT: Profile = {
  ...LINUX_3_17_EPT,
  name: "linux_4_4_ept",
  era: ERAS.G2,
  cacheRule: { ...LINUX_3_17_EPT.cacheRule, addressSpace: "first" },
  summary: "Linux 4.4, Intel EPT: as 3.17, and a spurious MMIO fault is tried again instead of killing the VM (B23)",
  faultRules: { ...FAULT_RULES_3_11, unexpectedSpte: "retry" },
};

const LINUX_5_13_EPT: Profile = {
  ...LINUX_4_4_EPT,
  name: "linux_5_13_ept",
  summary:
    "the rules of Linux 5.13: in-progress flag beside the number, nothing cached in flux, retry on an invalid slot",
  era: ERAS.G8,
  layout: layoutNamed("linux_6_1_ept"),
  backend: () => eptBackend(HASWELL, "6.1"),
  faultRules: { ...LINUX_4_4_EPT.faultRules, invalidSlot: "retry" },
  walkRules: WALK_RULES_6_1,
  cacheRule: { generation: "full", skipWhileInFlux: true, addressSpace: "first" },
};

/** A processor without execute-only pages, which nested EPT does not model. */
const WITHOUT_EXECUTE_ONLY = { ...HASWELL, executeOnly: false } as const;

const LINUX_4_10_EPT_NESTED: Profile = {
  ...LINUX_4_4_EPT,
  name: "linux_4_10_ept_nested",
  summary:
    "Linux 4.10, Intel EPT: a guest may run guests, its EPT is shadowed; addresses of L2 match the MMIO cache (B19)",
  layout: layoutNamed("linux_4_10_ept"),
  backend: () => eptBackend(WITHOUT_EXECUTE_ONLY, "4.10"),
  cacheRule: { ...LINUX_4_4_EPT.cacheRule, nestedGpa: "compared" },
  walkRules: WALK_RULES_4_10,
  shadowRules: SHADOW_RULES_4_10,
  slotLimits: { userSlots: 509, privateSlots: 3 },
  nested: NESTED_RULES_4_10,
};

const LINUX_5_13_EPT_NESTED: Profile = {
  ...LINUX_5_13_EPT,
  name: "linux_5_13_ept_nested",
  summary: "the rules of Linux 5.13 for a guest that runs guests: roots are kept, and roles tell what is for L2",
  backend: () => eptBackend(WITHOUT_EXECUTE_ONLY, "6.1"),
  shadowRules: SHADOW_RULES_4_10,
  nested: NESTED_RULES_5_13,
};

const LINUX_3_11_NPT: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_11_npt",
  summary: "Linux 3.11 as released, AMD nested paging; its MMIO cache has bug B01",
  layout: layoutNamed("linux_3_11_shadow"),
  backend: () => nptBackend(PHENOM),
  privateSlots: [],
};

const LINUX_4_10_NPT: Profile = {
  ...LINUX_3_11_NPT,
  name: "linux_4_10_npt",
  summary: "Linux 4.10, AMD nested paging: generation with an in-progress mark, MMIO cache with a generation",
  era: ERAS.G2,
  layout: layoutNamed("linux_4_10_shadow"),
  backend: () => nptBackend(PHENOM, "4.10"),
  cacheRule: LINUX_4_4_EPT.cacheRule,
  faultRules: LINUX_4_4_EPT.faultRules,
  pageRules: PAGE_RULES_4_10,
  walkRules: WALK_RULES_4_10,
  slotLimits: { userSlots: 509, privateSlots: 3 },
  slotsDeletedAtEnd: [],
};

const LINUX_4_10_EPT: Profile = {
  ...LINUX_4_10_NPT,
  name: "linux_4_10_ept",
  summary: "Linux 4.10, Intel EPT: generation with an in-progress mark, MMIO cache with a generation",
  layout: layoutNamed("linux_4_10_ept"),
  backend: () => eptBackend(HASWELL, "4.10"),
  // As in 3.11, and only what is there is deleted (x86_set_memory_region).
  privateSlots: [{ id: 0x1ff, gpa: 0xfffbc000, size: 0x1000 }],
  slotsDeletedAtEnd: [0x1ff],
};

/** The processor of the recordings of 6.1 on AMD: an EPYC with 40 physical address bits, as QEMU's TCG interprets it. */
const EPYC = PHENOM;

const LINUX_6_1_NPT_TDP: Profile = {
  ...LINUX_4_10_NPT,
  name: "linux_6_1_npt_tdp",
  summary: "Linux 6.1.192, AMD nested paging with the TDP MMU: mmu_lock taken to read by faults",
  era: ERAS.G8,
  layout: layoutNamed("linux_6_1_shadow"),
  backend: () => nptBackend(EPYC, "6.1"),
  cacheRule: { generation: "full", skipWhileInFlux: true, addressSpace: "own" },
  faultRules: FAULT_RULES_6_1,
  pageRules: PAGE_RULES_6_1,
  walkRules: WALK_RULES_6_1,
  slotLimits: { userSlots: 32764, privateSlots: 3, moveRenewsLargePages: true, withinMaxGfn: true },
  tracesAccessedBytes: true,
  tdpMmu: { eagerPageSplit: true },
};

/**
 * The processors of the recordings of 6.1 on Intel, as Bochs interprets them. Linux finds the address bits that the cache
 * uses by the model: 44 from Nehalem on, for models of clients (`override_cache_bits`, 6.1 bugs.c).
 */
const LINUX_6_1_EPT_TDP: Profile = {
  ...LINUX_6_1_NPT_TDP,
  name: "linux_6_1_ept_tdp",
  summary: "Linux 6.1.192, Intel EPT with the TDP MMU, on a Haswell: gfn bits split around bits 43:39 (L1TF)",
  layout: layoutNamed("linux_6_1_ept", { l1tf: true, cacheBits: 44 }),
  backend: () => eptBackend(HASWELL, "6.1"),
};

/** The same kernel with the TDP MMU off (`kvm.tdp_mmu=0`): shadow pages map guest-physical memory. */
function legacy({ tdpMmu: _, ...profile }: Profile): Profile {
  const name = profile.name.replace("_tdp", "_legacy");
  return { ...profile, name, summary: `as ${profile.name} with tdp_mmu=0: the MMU of shadow pages` };
}

const LINUX_6_1_EPT_LEGACY_NESTED: Profile = {
  ...legacy(LINUX_6_1_EPT_TDP),
  name: "linux_6_1_ept_legacy_nested",
  summary: "as linux_6_1_ept_legacy, for a guest that runs guests: L1's EPT is shadowed",
  backend: () => eptBackend(WITHOUT_EXECUTE_ONLY, "6.1"),
  shadowRules: SHADOW_RULES_6_1,
  nested: NESTED_RULES_5_13,
};

const LINUX_6_12_NPT_TDP: Profile = {
  ...LINUX_6_1_NPT_TDP,
  name: "linux_6_12_npt_tdp",
  summary: "Linux 6.12.117, AMD nested paging with the TDP MMU: zaps leaves first, empty entries have bit 63 set",
  layout: layoutNamed("linux_6_12_shadow"),
  faultRules: { ...LINUX_6_1_NPT_TDP.faultRules, tellsWriteProtected: true, fullErrorCode: true },
  pageRules: PAGE_RULES_6_12,
  slotLimits: { ...LINUX_6_1_NPT_TDP.slotLimits, ioctlChecksFlags: true },
  tdpMmu: {
    eagerPageSplit: true,
    splitsInFault: true,
    booksAfterFlush: true,
    firstZapLevel: 1,
  },
};

const LINUX_6_12_EPT_TDP: Profile = {
  ...LINUX_6_12_NPT_TDP,
  name: "linux_6_12_ept_tdp",
  summary: "Linux 6.12.117, Intel EPT with the TDP MMU, on a Haswell: #VE suppressed, gfn bits split as in 6.1 (L1TF)",
  layout: layoutNamed("linux_6_12_ept", { l1tf: true, cacheBits: 44 }),
  backend: () => eptBackend(HASWELL, "6.12"),
};

/** The same kernel with KVM_X86_QUIRK_SLOT_ZAP_ALL disabled (KVM_CAP_DISABLE_QUIRKS2): a slot takes only its mappings along. */
function slotZap(profile: Profile): Profile {
  const { name } = profile;
  const summary = `as ${name} with the quirk SLOT_ZAP_ALL off: a deleted slot takes only its own mappings along`;
  return { ...profile, name: `${name}_slotzap`, summary, flushSlot: "slot-range" };
}

/** The kernels with a TDP MMU, as they are and with options. */
const TDP_KERNELS: readonly Profile[] = [
  LINUX_6_1_NPT_TDP,
  {
    ...LINUX_6_1_NPT_TDP,
    name: "linux_6_1_npt_tdp_nocache",
    summary: "as linux_6_1_npt_tdp with mmio_caching=0: no MMIO sptes, every MMIO access is a fault on nothing",
    layout: layoutNamed("linux_6_1_shadow", { mmioCaching: false }),
  },
  {
    ...LINUX_6_1_NPT_TDP,
    name: "linux_6_1_npt_tdp_187",
    summary: "Linux 6.1.187, as linux_6_1_npt_tdp; its MMIO cache looks at the first address space always (B20)",
    cacheRule: { ...LINUX_6_1_NPT_TDP.cacheRule, addressSpace: "first" as const },
  },
  LINUX_6_1_EPT_TDP,
  {
    ...LINUX_6_1_EPT_TDP,
    name: "linux_6_1_ept_tdp_nocache",
    summary: "as linux_6_1_ept_tdp with mmio_caching=0: no MMIO sptes",
    layout: layoutNamed("linux_6_1_ept", { l1tf: true, cacheBits: 44, mmioCaching: false }),
  },
  {
    ...LINUX_6_1_EPT_TDP,
    name: "linux_6_1_ept_tdp_nol1tf",
    summary: "as linux_6_1_ept_tdp on a Goldmont, which does not have the L1TF bug: nothing is split",
    layout: layoutNamed("linux_6_1_ept"),
  },
  {
    ...LINUX_6_1_EPT_TDP,
    name: "linux_6_1_ept_tdp_skx",
    summary: "as linux_6_1_ept_tdp on a Skylake-X: split around bits 39:35, and dirty pages logged by the processor",
    layout: layoutNamed("linux_6_1_ept", { l1tf: true }),
    backend: () => eptBackend({ ...HASWELL, logsDirtyPages: true }, "6.1"),
    pageRules: { ...PAGE_RULES_6_1, dirtyLog: "dirty-bit" as const },
  },
  LINUX_6_12_NPT_TDP,
  slotZap(LINUX_6_12_NPT_TDP),
  LINUX_6_12_EPT_TDP,
  slotZap(LINUX_6_12_EPT_TDP),
];

const LINUX_3_11_SHADOW: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_11_shadow",
  summary: "Linux 3.11 as released, Intel without EPT (ept=0): shadow page tables; its MMIO cache has bug B01",
  layout: layoutNamed("linux_3_11_shadow"),
  backend: () => vmxShadowBackend({ ...HASWELL, noExecute: true, reservedFaultIsPresent: true }),
  privateSlots: [],
};

/** The kernels that the lab can be, by name. */
export const PROFILES: Readonly<Record<string, Profile>> = Object.fromEntries(
  [
    {
      ...LINUX_3_11_EPT,
      name: "linux_3_10_ept",
      summary: "Linux 3.10, Intel EPT: before the series, a walk over all shadow pages",
      era: ERAS.G0,
      layout: layoutNamed("linux_3_10_ept"),
      strategy: STRATEGIES.fullWalk.create,
      flushSlot: "walk-all" as const,
    },
    LINUX_3_11_EPT,
    {
      ...LINUX_3_11_EPT,
      name: "linux_3_11_ept_noad",
      summary: "Linux 3.11 as released, Intel EPT without accessed and dirty bits, so without prefetch",
      backend: () => eptBackend({ ...HASWELL, accessedDirty: false }),
    },
    {
      ...LINUX_3_11_SHADOW,
      name: "linux_3_10_shadow",
      summary: "Linux 3.10, Intel without EPT (ept=0): shadow page tables, and a walk over all of them",
      era: ERAS.G0,
      layout: layoutNamed("linux_3_10_shadow"),
      strategy: STRATEGIES.fullWalk.create,
      flushSlot: "walk-all" as const,
    },
    LINUX_3_11_SHADOW,
    {
      ...LINUX_3_11_SHADOW,
      name: "linux_3_11_npt_shadow",
      summary:
        "Linux 3.11 as released, AMD without nested paging (npt=0): shadow page tables; its MMIO cache has bug B01",
      backend: () => svmShadowBackend({ ...PHENOM, noExecute: false }),
    },
    ...shadowProfiles(LINUX_3_11_NPT, LINUX_4_10_NPT, PHENOM, HASWELL),
    ...lateShadowProfiles(legacy(LINUX_6_1_NPT_TDP), legacy(LINUX_6_12_NPT_TDP), EPYC, HASWELL),
    LINUX_3_17_EPT,
    LINUX_4_4_EPT,
    LINUX_5_13_EPT,
    LINUX_4_10_EPT_NESTED,
    LINUX_5_13_EPT_NESTED,
    LINUX_3_11_NPT,
    {
      ...LINUX_3_11_NPT,
      name: "linux_3_13_npt",
      summary: "Linux 3.13, AMD nested paging: as 3.11, and a wrap is noticed whenever memslots are installed",
      era: ERAS.G1b,
    },
    {
      ...LINUX_3_11_EPT,
      name: "linux_3_13_ept",
      summary: "Linux 3.13, Intel EPT: as 3.11, a wrap is noticed whenever memslots are installed, fetches are told",
      era: ERAS.G1b,
      backend: () => eptBackend(HASWELL, "3.13"),
    },
    {
      ...LINUX_3_11_NPT,
      name: "linux_3_17_npt",
      summary:
        "the rules of Linux 3.17, AMD nested paging: generation with an in-progress mark, MMIO cache with a generation",
      era: LINUX_3_17_EPT.era,
      layout: layoutNamed("linux_3_17_shadow"),
      cacheRule: LINUX_3_17_EPT.cacheRule,
    },
    LINUX_4_10_NPT,
    LINUX_4_10_EPT,
    ...profiles419(LINUX_4_10_NPT, PHENOM, LINUX_4_10_EPT, HASWELL),
    ...eraProfiles(LINUX_4_4_EPT, HASWELL, LINUX_4_10_NPT, PHENOM),
    ...TDP_KERNELS,
    ...TDP_KERNELS.map(legacy),
    LINUX_6_1_EPT_LEGACY_NESTED,
    {
      ...LINUX_3_11_EPT,
      name: "seed_v2",
      summary: "version 2 of the 2013 series: as 3.11, but a wrap zaps by a walk over the pages with MMIO sptes",
      strategy: STRATEGIES.seedV2.create,
    },
  ].map((profile) => [profile.name, profile]),
);
