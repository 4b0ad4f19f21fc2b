import { STRATEGIES } from "@mmu-lab/invalidation";
import { ERAS } from "@mmu-lab/memslots";
import { FAULT_RULES_3_11, PAGE_RULES_4_10, WALK_RULES_3_11, WALK_RULES_4_10, WALK_RULES_6_1 } from "@mmu-lab/paging";
import { nptBackend } from "@mmu-lab/svm-backend";
import { eptBackend, vmxShadowBackend } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";
import { HASWELL, PHENOM } from "./processors.ts";

export const LINUX_3_11_EPT: Profile = {
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

export const LINUX_3_17_EPT: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_17_ept",
  summary: "Linux 3.17, Intel EPT: generation with an in-progress mark, MMIO cache with a generation",
  // Address spaces came with 4.2.
  era: { ...ERAS.G2, memslots: { ...ERAS.G2.memslots, addressSpaces: 1 } },
  layout: layoutNamed("linux_3_17_ept"),
  cacheRule: { generation: "full", skipWhileInFlux: false },
};

export const LINUX_4_4_EPT: Profile = {
  ...LINUX_3_17_EPT,
  name: "linux_4_4_ept",
  era: ERAS.G2,
  cacheRule: { ...LINUX_3_17_EPT.cacheRule, addressSpace: "first" },
  summary: "Linux 4.4, Intel EPT: as 3.17, and a spurious MMIO fault is tried again instead of killing the VM (B23)",
  faultRules: { ...FAULT_RULES_3_11, unexpectedSpte: "retry" },
};

export const LINUX_5_13_EPT: Profile = {
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

export const LINUX_3_11_NPT: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_11_npt",
  summary: "Linux 3.11 as released, AMD nested paging; its MMIO cache has bug B01",
  layout: layoutNamed("linux_3_11_shadow"),
  backend: () => nptBackend(PHENOM),
  privateSlots: [],
};

export const LINUX_4_10_NPT: Profile = {
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

export const LINUX_4_10_EPT: Profile = {
  ...LINUX_4_10_NPT,
  name: "linux_4_10_ept",
  summary: "Linux 4.10, Intel EPT: generation with an in-progress mark, MMIO cache with a generation",
  layout: layoutNamed("linux_4_10_ept"),
  backend: () => eptBackend(HASWELL, "4.10"),
  // As in 3.11, and only what is there is deleted (x86_set_memory_region).
  privateSlots: [{ id: 0x1ff, gpa: 0xfffbc000, size: 0x1000 }],
  slotsDeletedAtEnd: [0x1ff],
};

export const LINUX_3_11_SHADOW: Profile = {
  ...LINUX_3_11_EPT,
  name: "linux_3_11_shadow",
  summary: "Linux 3.11 as released, Intel without EPT (ept=0): shadow page tables; its MMIO cache has bug B01",
  layout: layoutNamed("linux_3_11_shadow"),
  backend: () => vmxShadowBackend({ ...HASWELL, noExecute: true, reservedFaultIsPresent: true }),
  privateSlots: [],
};
