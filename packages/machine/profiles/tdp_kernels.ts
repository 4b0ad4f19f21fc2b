import { ERAS } from "@mmu-lab/memslots";
import { FAULT_RULES_6_1, PAGE_RULES_6_1, PAGE_RULES_6_12, WALK_RULES_6_1 } from "@mmu-lab/paging";
import { nptBackend } from "@mmu-lab/svm-backend";
import { eptBackend } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";
import { LINUX_4_10_NPT } from "./first_kernels.ts";
import { EPYC, HASWELL } from "./processors.ts";

export const LINUX_6_1_NPT_TDP: Profile = {
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
export const LINUX_6_1_EPT_TDP: Profile = {
  ...LINUX_6_1_NPT_TDP,
  name: "linux_6_1_ept_tdp",
  summary: "Linux 6.1.192, Intel EPT with the TDP MMU, on a Haswell: gfn bits split around bits 43:39 (L1TF)",
  layout: layoutNamed("linux_6_1_ept", { l1tf: true, cacheBits: 44 }),
  backend: () => eptBackend(HASWELL, "6.1"),
};

/** The same kernel with the TDP MMU off (`kvm.tdp_mmu=0`): shadow pages map guest-physical memory. */
export function legacy({ tdpMmu: _, ...profile }: Profile): Profile {
  const name = profile.name.replace("_tdp", "_legacy");
  return { ...profile, name, summary: `as ${profile.name} with tdp_mmu=0: the MMU of shadow pages` };
}

export const LINUX_6_12_NPT_TDP: Profile = {
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
export function slotZap(profile: Profile): Profile {
  const { name } = profile;
  const summary = `as ${name} with the quirk SLOT_ZAP_ALL off: a deleted slot takes only its own mappings along`;
  return { ...profile, name: `${name}_slotzap`, summary, flushSlot: "slot-range" };
}

/** The same kernel with the module parameter `mmio_caching=0`, whose layout `layout` makes. */
export function withoutMmioSptes(profile: Profile, layout: Profile["layout"]): Profile {
  const { name } = profile;
  const summary = `as ${name} with mmio_caching=0: no MMIO sptes, every MMIO access is a fault on nothing`;
  return { ...profile, name: `${name}_nocache`, summary, layout };
}

const LINUX_6_12_NPT_TDP_NOCACHE: Profile = withoutMmioSptes(
  LINUX_6_12_NPT_TDP,
  layoutNamed("linux_6_12_shadow", { mmioCaching: false }),
);

const LINUX_6_12_EPT_TDP_NOCACHE: Profile = withoutMmioSptes(
  LINUX_6_12_EPT_TDP,
  layoutNamed("linux_6_12_ept", { l1tf: true, cacheBits: 44, mmioCaching: false }),
);

/** The kernels with a TDP MMU, as they are and with options. */
export const TDP_KERNELS: readonly Profile[] = [
  LINUX_6_1_NPT_TDP,
  withoutMmioSptes(LINUX_6_1_NPT_TDP, layoutNamed("linux_6_1_shadow", { mmioCaching: false })),
  {
    ...LINUX_6_1_NPT_TDP,
    name: "linux_6_1_npt_tdp_187",
    summary: "Linux 6.1.187, as linux_6_1_npt_tdp; its MMIO cache looks at the first address space always (B20)",
    cacheRule: { ...LINUX_6_1_NPT_TDP.cacheRule, addressSpace: "first" as const },
  },
  LINUX_6_1_EPT_TDP,
  withoutMmioSptes(
    LINUX_6_1_EPT_TDP,
    layoutNamed("linux_6_1_ept", { l1tf: true, cacheBits: 44, mmioCaching: false }),
  ),
  {
    ...LINUX_6_1_EPT_TDP,
    name: "linux_6_1_ept_tdp_nol1tf",
    summary: "as linux_6_1_ept_tdp on a Goldmont, which does not have the L1TF bug: nothing is split",
    layout: layoutNamed("linux_6_1_ept"),
  },
  {
    ...LINUX_6_1_EPT_TDP,
    name: "linux_6_1_ept_tdp_pml",
    summary: "as linux_6_1_ept_tdp on a Skylake-X: split around bits 39:35, and dirty pages logged by the processor",
    layout: layoutNamed("linux_6_1_ept", { l1tf: true }),
    backend: () => eptBackend({ ...HASWELL, logsDirtyPages: true }, "6.1"),
    pageRules: { ...PAGE_RULES_6_1, dirtyLog: "dirty-bit" as const },
  },
  LINUX_6_12_NPT_TDP,
  slotZap(LINUX_6_12_NPT_TDP),
  LINUX_6_12_NPT_TDP_NOCACHE,
  slotZap(LINUX_6_12_NPT_TDP_NOCACHE),
  LINUX_6_12_EPT_TDP,
  slotZap(LINUX_6_12_EPT_TDP),
  LINUX_6_12_EPT_TDP_NOCACHE,
  slotZap(LINUX_6_12_EPT_TDP_NOCACHE),
];
