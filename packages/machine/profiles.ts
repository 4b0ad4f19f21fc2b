import { STRATEGIES } from "@mmu-lab/invalidation";
import { ERAS } from "@mmu-lab/memslots";
import { svmShadowBackend } from "@mmu-lab/svm-backend";
import { eptBackend } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./profiles/_layout_named.ts";
import type { Profile } from "./profile.ts";
import { eraProfiles } from "./profiles/era_rules.ts";
import {
  LINUX_3_11_EPT,
  LINUX_3_11_NPT,
  LINUX_3_11_SHADOW,
  LINUX_3_17_EPT,
  LINUX_4_10_EPT,
  LINUX_4_10_NPT,
  LINUX_4_4_EPT,
  LINUX_5_13_EPT,
} from "./profiles/first_kernels.ts";
import { profiles419 } from "./profiles/linux_4_19.ts";
import {
  LINUX_4_10_EPT_NESTED,
  LINUX_5_13_EPT_NESTED,
  LINUX_6_1_EPT_LEGACY_NESTED,
} from "./profiles/nested_kernels.ts";
import { EPYC, HASWELL, PHENOM } from "./profiles/processors.ts";
import { lateShadowProfiles, shadowProfiles } from "./profiles/shadow_kernels.ts";
import { legacy, LINUX_6_12_NPT_TDP, LINUX_6_1_NPT_TDP, TDP_KERNELS } from "./profiles/tdp_kernels.ts";

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
