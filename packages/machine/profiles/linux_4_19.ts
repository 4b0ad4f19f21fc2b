import { ERAS } from "@mmu-lab/memslots";
import { PAGE_RULES_4_19 } from "@mmu-lab/paging";
import { nptBackend, type NptProcessor } from "@mmu-lab/svm-backend";
import { eptBackend, type EptProcessor } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";

/**
 * A kernel of the 4.19 line, made from its counterpart of 4.10 by what differs on the way (4.19.152 mmu.c, x86.c, x86.h,
 * kvm_main.c): generations apart by address space; the spte's mark is bit 62 with the lowest of the reserved bits, and its
 * gfn may be split; a misconfiguration passes the page-fault handler; `kvm_mmio` shows what was accessed; the emulator
 * knows the address of a fault. The backports of
 * 2019 (152482580a1b, e1359e2beb8b, ddfd1730fd82) look for a wrap before the number is visible and in every address space,
 * and remember nothing in flux.
 *
 * @param base The kernel of 4.10.
 */
export function linux419(base: Profile): Profile {
  return {
    ...base,
    era: ERAS.G3s,
    cacheRule: { ...base.cacheRule, skipWhileInFlux: true },
    faultRules: { ...base.faultRules, misconfigurationIsFault: true, emulatedAddress: "of-the-fault" },
    tracesAccessedBytes: true,
    pageRules: PAGE_RULES_4_19,
  };
}

/**
 * The profiles of 4.19. Which processors have their MMIO sptes split for L1TF, and where, changed on the way: at first all
 * with MAXPHYADDR below 47, by that (facts sheet 4.10); later those with the bug, by the bits that their caches use
 * (`kvm_mmu_reset_all_pte_masks`, 4.19.152).
 *
 * @param npt 4.10 on AMD. @param amd Its processor. @param ept 4.10 on Intel. @param intel Its processor.
 */
export function profiles419(npt: Profile, amd: NptProcessor, ept: Profile, intel: EptProcessor): Profile[] {
  const onAmd: Profile = {
    ...linux419(npt),
    name: "linux_4_19_npt",
    summary:
      "Linux 4.19 with the fixes of 2019, AMD nested paging: gfn bits split around bits 39:35, as on every processor",
    layout: layoutNamed("linux_4_19_shadow"),
    backend: () => nptBackend(amd, "4.10"),
  };
  const onIntel: Profile = {
    ...linux419(ept),
    name: "linux_4_19_ept",
    summary: "Linux 4.19 with the fixes of 2019, Intel EPT, on a Haswell: gfn bits split around bits 39:35",
    layout: layoutNamed("linux_4_19_ept"),
    backend: () => eptBackend(intel, "4.19"),
    // With unrestricted guests there is no identity map (vmx_create_vcpu).
    privateSlots: [],
    slotsDeletedAtEnd: [],
  };
  return [
    onAmd,
    firstOfLine(onAmd),
    {
      ...onAmd,
      name: "linux_4_19_npt_152",
      summary: "as linux_4_19_npt in 4.19.152: nothing is split, as AMD's processors do not have the L1TF bug",
      layout: layoutNamed("linux_4_19_152_shadow"),
    },
    onIntel,
    firstOfLine(onIntel),
    {
      ...onIntel,
      name: "linux_4_19_ept_152",
      summary: "as linux_4_19_ept in 4.19.152: gfn bits split around bits 43:39, by the bits that the cache uses",
      layout: layoutNamed("linux_4_19_152_ept", { l1tf: true, cacheBits: 44 }),
    },
  ];
}

/** 4.19 as released, without the backports of 2019. */
export function firstOfLine(later: Profile): Profile {
  const { name } = later;
  return {
    ...later,
    name: `${name}_0`,
    summary: `as ${name} in 4.19 as released: a wrap of the first address space is never noticed (B05)`,
    era: ERAS.G3,
    cacheRule: { ...later.cacheRule, skipWhileInFlux: false },
  };
}
