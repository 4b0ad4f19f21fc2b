import { ERAS } from "@mmu-lab/memslots";
import { SHADOW_RULES_3_13, SHADOW_RULES_4_10, WALK_RULES_3_13 } from "@mmu-lab/paging";
import { type NptProcessor, svmShadowBackend } from "@mmu-lab/svm-backend";
import type { Profile } from "./profile.ts";

/**
 * Kernels after 3.11 without two-dimensional paging (`npt=0`, `ept=0`): shadow page tables.
 *
 * @param npt311 3.11 on AMD. @param npt410 4.10 on AMD. @param amd Their processor.
 */
export function shadowProfiles(npt311: Profile, npt410: Profile, amd: NptProcessor): Profile[] {
  // QEMU's TCG leaves it to the guest's EFER.NX whether a fetch is told, and the recorded guests do not set it.
  const processor = { ...amd, noExecute: false };
  return [
    {
      ...npt311,
      name: "linux_3_13_npt_shadow",
      summary: "Linux 3.13, AMD without nested paging (npt=0): as 3.11, and tables in read-only slots are read",
      era: ERAS.G1b,
      backend: () => svmShadowBackend(processor),
      walkRules: WALK_RULES_3_13,
      shadowRules: SHADOW_RULES_3_13,
    },
    {
      ...npt410,
      name: "linux_4_10_npt_shadow",
      summary:
        "Linux 4.10, AMD without nested paging (npt=0): write tracking of tables above level 1, MMIO cache as 4.4",
      backend: () => svmShadowBackend(processor, "4.10"),
      shadowRules: SHADOW_RULES_4_10,
    },
  ];
}
