import type { EptState } from "../guest/guest_role.ts";

/**
 * How a kernel lets a guest, L1, run a guest of its own, L2, with EPT tables of its own, which KVM shadows. All KVM
 * policy, but for what the processor can do.
 */
export interface NestedRules {
  /**
   * What L1's EPT may have (`nested_vmx_ept_caps`), as KVM's walker of it sees it. Accessed and dirty bits, from 4.13 on, L1
   * switches on with bit 6 of its EPTP.
   */
  readonly ept: Omit<EptState, "format">;
  /**
   * What the role of a page says of the size of entries that it shadows. `by-cr4-pae`: the bit that says whether the guest
   * has 8-byte entries is left as it is for L1, which means 4 bytes (3.12 to 5.0): each sync zaps the page, and each
   * write of an entry counts as askew and zaps it too. `told`: 8 bytes (from 47c42e6b4192, 5.1, on).
   */
  readonly gpteSize: "by-cr4-pae" | "told";
  /** Whether the role tells pages made for L2 from others (`guest_mode`, from 4.18 on); `ad_disabled` goes with it. */
  readonly roleTellsGuestMode: boolean;
  /**
   * What becomes of roots when a vCPU goes from L1 to L2 or back. `dropped`: each time (3.12 to 4.19). `kept`: that of L1, and
   * those of L2 by EPTP, four of them (`guest_mmu` and its `prev_roots`, from 5.0 on); INVEPT gives the latter back.
   */
  readonly roots: "dropped" | "kept";
}

/**
 * Linux 4.10 on a processor without execute-only pages (vmx.c, `nested_ept_init_mmu_context`; mmu.c,
 * `kvm_init_shadow_ept_mmu`).
 */
export const NESTED_RULES_4_10: NestedRules = {
  ept: { maxphyaddr: 40, largestPage: 2 },
  gpteSize: "by-cr4-pae",
  roleTellsGuestMode: false,
  roots: "dropped",
};

/** Linux 5.13 (vmx/nested.c, mmu/mmu.c). */
export const NESTED_RULES_5_13: NestedRules = {
  ept: { maxphyaddr: 40, largestPage: 3, accessedDirty: true },
  gpteSize: "told",
  roleTellsGuestMode: true,
  roots: "kept",
};
