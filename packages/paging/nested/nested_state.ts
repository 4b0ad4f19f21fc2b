import type { StateHasher } from "@mmu-lab/protocol";
import type { GuestPaging } from "../backend.ts";
import { EPT_4_LEVEL } from "../guest/format.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { nestedBaseRole } from "../pages/role.ts";
import type { ShadowContext } from "../shadow/shadow_context.ts";
import type { NestedRules } from "./nested_rules.ts";

/** A root of L2 that a vCPU keeps while it does not use it (`kvm_mmu_root_info`). */
export interface KeptRoot {
  /** Which EPT of L1 it shadows. */
  readonly eptp: number;
  /** The page. */
  readonly root: PageId;
}

/** Memory type write-back, four levels: what bits 5:0 of an EPTP must be. Architecture (SDM vol. 3, 25.6.11). */
const WRITE_BACK_FOUR_LEVELS = 0x1e;
/** EPTP bit 6: the processor keeps accessed and dirty bits. Architecture. */
const EPTP_ACCESSED_DIRTY = 0x40;

/** What a vCPU has to run L2, a guest of its guest L1, with L1's EPT shadowed. */
export class NestedState {
  /** What the kernel does. */
  readonly rules: NestedRules;
  /** How L1's EPT is walked and shadowed (`guest_mmu`). */
  readonly context: ShadowContext;
  /** L2's own paging; its addresses are guest-physical ones of L2. */
  readonly paging: GuestPaging;
  /** Whether L2 runs, and not L1. */
  active = false;
  /** The EPTP that L1 has entered L2 with last. */
  eptp = 0;
  /** L1's own paging while L2 runs. */
  pagingOfL1: GuestPaging;
  /** L1's root while L2 runs, if it is kept. */
  rootOfL1: PageId = NO_PAGE;
  /** Roots of L2 that are not in use, the one used last first. */
  kept: KeptRoot[] = [];

  /**
   * Makes the state of a vCPU that runs L1.
   *
   * @param rules What the kernel does. @param context Walks L1's EPT, in the memory of L1. @param paging L2's own paging.
   */
  constructor(rules: NestedRules, context: ShadowContext, paging: GuestPaging) {
    this.rules = rules;
    this.context = context;
    this.paging = paging;
    this.pagingOfL1 = paging;
    this.#readEpt(false);
  }

  /**
   * Takes up an EPTP.
   *
   * @throws {RangeError} If it is not one that this kernel lets L1 have: then the VM entry fails.
   */
  setEptp(eptp: number): void {
    const { ept } = this.rules;
    const flags = eptp % 4096;
    const accessedDirty = (flags & EPTP_ACCESSED_DIRTY) !== 0;
    const wellFormed = (flags & ~EPTP_ACCESSED_DIRTY) === WRITE_BACK_FOUR_LEVELS && eptp < 2 ** ept.maxphyaddr;
    if (!wellFormed || (accessedDirty && ept.accessedDirty !== true)) {
      const allowed = ept.accessedDirty === true ? "0x1e or 0x5e" : "0x1e";
      throw new RangeError(
        `Cannot enter L2: VM entry fails for EPTP 0x${eptp.toString(16)}; expected bits 11:0 of ${allowed}, ` +
          `and an address below 2^${ept.maxphyaddr}`,
      );
    }
    this.eptp = eptp;
    this.#readEpt(accessedDirty);
    this.context.walk.rootLo = eptp | 0;
    this.context.walk.rootHi = Math.floor(eptp / 2 ** 32);
  }

  /** Folds what a later step could read into a hash, but for the roots. */
  hashInto(hasher: StateHasher): void {
    hasher.add(this.active ? 1 : 0).add(this.active ? this.eptp : 0).add(this.context.walk.exitQualification);
  }

  #readEpt(accessedDirty: boolean): void {
    const { ept, gpteSize, roleTellsGuestMode } = this.rules;
    const adDisabled = roleTellsGuestMode && !accessedDirty;
    const base = nestedBaseRole(gpteSize === "by-cr4-pae", roleTellsGuestMode, adDisabled);
    this.context.setEpt({ ...ept, format: EPT_4_LEVEL, accessedDirty }, base);
  }
}
