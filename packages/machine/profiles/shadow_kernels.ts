import { ERAS } from "@mmu-lab/memslots";
import {
  SHADOW_RULES_3_13,
  SHADOW_RULES_4_10,
  SHADOW_RULES_4_19,
  SHADOW_RULES_6_1,
  SHADOW_RULES_6_12,
  WALK_RULES_3_13,
  WALK_RULES_4_19,
} from "@mmu-lab/paging";
import { type NptProcessor, svmShadowBackend } from "@mmu-lab/svm-backend";
import { vmxShadowBackend, type VmxShadowKernel, type VmxShadowProcessor } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";
import { firstOfLine, linux419 } from "./linux_4_19.ts";
import { slotZap, withoutMmioSptes } from "./tdp_kernels.ts";

/** The processor of the recordings on Intel, as far as shadow paging asks. */
type IntelProcessor = Omit<VmxShadowProcessor, "noExecute" | "reservedFaultIsPresent">;

/**
 * Kernels from 3.13 to 4.19 without two-dimensional paging (`npt=0`, `ept=0`): shadow page tables.
 *
 * @param npt311 3.11 on AMD. @param npt410 4.10 on AMD. @param amd Their processor. @param intel One of Intel.
 */
export function shadowProfiles(
  npt311: Profile,
  npt410: Profile,
  amd: NptProcessor,
  intel: IntelProcessor,
): Profile[] {
  // That a fetch is told is up to EFER.NX, which the guest has clear, and KVM set on AMD from late in 2019 on (4.19.84).
  const without = { ...amd, noExecute: false };
  const later = { ...amd, noExecute: true };
  const onIntel = { ...intel, noExecute: true, reservedFaultIsPresent: true };
  const shadow313: Profile = {
    ...npt311,
    name: "linux_3_13_npt_shadow",
    summary: "Linux 3.13, AMD without nested paging (npt=0): as 3.11, and tables in read-only slots are read",
    era: ERAS.G1b,
    backend: () => svmShadowBackend(without),
    walkRules: WALK_RULES_3_13,
    shadowRules: SHADOW_RULES_3_13,
  };
  const shadow410: Profile = {
    ...npt410,
    name: "linux_4_10_npt_shadow",
    summary: "Linux 4.10, AMD without nested paging (npt=0): write tracking of tables above level 1, MMIO cache as 4.4",
    backend: () => svmShadowBackend(without, "4.10"),
    shadowRules: SHADOW_RULES_4_10,
  };
  const shadow419: Profile = {
    ...linux419(shadow410),
    name: "linux_4_19_npt_shadow",
    summary: "Linux 4.19 with the fixes of 2019, AMD without nested paging (npt=0): as 4.10, and a vCPU keeps roots",
    layout: layoutNamed("linux_4_19_shadow"),
    shadowRules: SHADOW_RULES_4_19,
  };
  const late419: Profile = {
    ...shadow419,
    name: "linux_4_19_npt_shadow_152",
    summary: "as linux_4_19_npt_shadow in late 4.19: nothing is split, and tables have the rights of their own level",
    layout: layoutNamed("linux_4_19_152_shadow"),
    backend: () => svmShadowBackend(later, "4.10"),
    walkRules: WALK_RULES_4_19,
    shadowRules: { ...SHADOW_RULES_4_19, countsUnmapped: false },
  };
  const onVmx = (profile: Profile, name: string, kernel: VmxShadowKernel): Profile => ({
    ...profile,
    name,
    summary: `as ${profile.name} on Intel without EPT (ept=0)`,
    backend: () => vmxShadowBackend(onIntel, kernel),
  });
  return [
    shadow313,
    onVmx(shadow313, "linux_3_13_shadow", "3.11"),
    shadow410,
    onVmx(shadow410, "linux_4_10_shadow", "4.10"),
    shadow419,
    firstOfLine(shadow419),
    late419,
    onVmx(shadow419, "linux_4_19_shadow", "4.10"),
    {
      ...onVmx(late419, "linux_4_19_shadow_152", "4.10"),
      layout: layoutNamed("linux_4_19_152_shadow", { l1tf: true, cacheBits: 44 }),
    },
  ];
}

/**
 * Kernels from 6.1 on without two-dimensional paging.
 *
 * @param npt61 6.1 on AMD with shadow pages. @param npt612 6.12 likewise. @param amd Their processor. @param intel That of
 * the recordings on Intel.
 */
export function lateShadowProfiles(
  npt61: Profile,
  npt612: Profile,
  amd: NptProcessor,
  intel: IntelProcessor,
): Profile[] {
  // The processor has EFER.NX set whatever the guest has, and tells fetches by it.
  const amd61 = { ...amd, noExecute: true };
  const intel61 = { ...intel, noExecute: true, reservedFaultIsPresent: true };
  const npt: Profile = {
    ...npt61,
    name: "linux_6_1_npt_shadow",
    summary: "Linux 6.1.192, AMD without nested paging (npt=0): shadow page tables",
    backend: () => svmShadowBackend(amd61, "6.1"),
    shadowRules: SHADOW_RULES_6_1,
  };
  const vmx: Profile = {
    ...npt,
    name: "linux_6_1_vmx_shadow",
    summary: "Linux 6.1.192, Intel without EPT (ept=0), on a Haswell: shadow page tables, gfn bits split (L1TF)",
    layout: layoutNamed("linux_6_1_shadow", { l1tf: true, cacheBits: 44 }),
    backend: () => vmxShadowBackend(intel61, "6.1"),
  };
  const late: Profile = {
    ...npt612,
    name: "linux_6_12_npt_shadow",
    summary: "Linux 6.12.117, AMD without nested paging (npt=0): shadow page tables, bit 63 in empty entries",
    backend: () => svmShadowBackend(amd61, "6.1"),
    shadowRules: SHADOW_RULES_6_12,
  };
  const lateNoCache = withoutMmioSptes(late, layoutNamed("linux_6_12_shadow", { mmioCaching: false }));
  const lateVmx: Profile = {
    ...late,
    name: "linux_6_12_vmx_shadow",
    summary: "Linux 6.12.117, Intel without EPT (ept=0), on a Haswell: shadow page tables, gfn bits split (L1TF)",
    layout: layoutNamed("linux_6_12_shadow", { l1tf: true, cacheBits: 44 }),
    backend: () => vmxShadowBackend(intel61, "6.1"),
  };
  return [
    npt,
    {
      ...npt,
      name: "linux_6_1_npt_shadow_187",
      summary: "Linux 6.1.187, as linux_6_1_npt_shadow; its MMIO cache looks at the first address space always (B20)",
      cacheRule: { ...npt.cacheRule, addressSpace: "first" },
    },
    withoutMmioSptes(npt, layoutNamed("linux_6_1_shadow", { mmioCaching: false })),
    vmx,
    withoutMmioSptes(vmx, layoutNamed("linux_6_1_shadow", { l1tf: true, cacheBits: 44, mmioCaching: false })),
    {
      ...vmx,
      name: "linux_6_1_vmx_shadow_nol1tf",
      summary: "as linux_6_1_vmx_shadow on a Goldmont, which does not have the L1TF bug: nothing is split",
      layout: layoutNamed("linux_6_1_shadow"),
    },
    late,
    slotZap(late),
    lateNoCache,
    slotZap(lateNoCache),
    lateVmx,
    slotZap(lateVmx),
    withoutMmioSptes(lateVmx, layoutNamed("linux_6_12_shadow", { l1tf: true, cacheBits: 44, mmioCaching: false })),
  ];
}
