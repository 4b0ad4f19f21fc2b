import {
  NESTED_RULES_4_10,
  NESTED_RULES_5_13,
  SHADOW_RULES_4_10,
  SHADOW_RULES_6_1,
  WALK_RULES_4_10,
} from "@mmu-lab/paging";
import { eptBackend } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";
import { LINUX_4_4_EPT, LINUX_5_13_EPT } from "./first_kernels.ts";
import { WITHOUT_EXECUTE_ONLY } from "./processors.ts";
import { legacy, LINUX_6_1_EPT_TDP } from "./tdp_kernels.ts";

export const LINUX_4_10_EPT_NESTED: Profile = {
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

export const LINUX_5_13_EPT_NESTED: Profile = {
  ...LINUX_5_13_EPT,
  name: "linux_5_13_ept_nested",
  summary: "the rules of Linux 5.13 for a guest that runs guests: roots are kept, and roles tell what is for L2",
  backend: () => eptBackend(WITHOUT_EXECUTE_ONLY, "6.1"),
  shadowRules: SHADOW_RULES_4_10,
  nested: NESTED_RULES_5_13,
};

export const LINUX_6_1_EPT_LEGACY_NESTED: Profile = {
  ...legacy(LINUX_6_1_EPT_TDP),
  name: "linux_6_1_ept_legacy_nested",
  summary: "as linux_6_1_ept_legacy, for a guest that runs guests: L1's EPT is shadowed",
  backend: () => eptBackend(WITHOUT_EXECUTE_ONLY, "6.1"),
  shadowRules: SHADOW_RULES_6_1,
  nested: NESTED_RULES_5_13,
};
