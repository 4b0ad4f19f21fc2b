import type { GuestExit, GuestPaging } from "./backend.ts";
import { MmioCache, type MmioCacheRule } from "./mmio/mmio_cache.ts";
import type { NestedState } from "./nested/nested_state.ts";
import { NO_PAGE, type PageId } from "./pages/page_pool.ts";
import type { ShadowContext } from "./shadow/shadow_context.ts";
import { Tlb } from "./tlb.ts";

/** Where a walk of the shadow tables ended: the last entry it read. Overwritten by the vCPU's next walk. */
export interface ShadowWalk {
  /** The page of the entry, or -1 if there was no root. */
  page: PageId;
  /** Index of the entry in its page. */
  index: number;
  /** Level of the entry, 1 to 5; 0 if there was no root. */
  level: number;
  /** Low lane of the entry as it was read. */
  lo: number;
  /** High lane. */
  hi: number;
}

/** The MMU state of one vCPU. */
export class VcpuMmu {
  /** The vCPU's number in its VM. */
  readonly index: number;
  /** Address space it runs in: 0, or 1 in system management mode. */
  asId = 0;
  /** Its root shadow page, or {@linkcode NO_PAGE} (`root_hpa` invalid), or `PAE_ROOTS`. */
  root: PageId = NO_PAGE;
  /** `KVM_REQ_TLB_FLUSH`: flush before the guest runs on. */
  flushRequested = false;
  /** Whether somebody asked for that flush, and not only a new root needs it. Only the statistics want to know. */
  flushIsCounted = false;
  /** `KVM_REQ_MMU_RELOAD`: drop the root and take a new one before the guest runs on. */
  reloadRequested = false;
  /** `KVM_REQ_MMU_SYNC`: bring shadow pages up to date before the guest runs on. */
  syncRequested = false;
  /** What it has beside while KVM shadows its guest's tables: without two-dimensional paging always, with it in L2. */
  shadow: ShadowContext | undefined;
  /** What it needs to run a guest of its guest, where the kernel allows that. */
  nested: NestedState | undefined;
  /** The last MMIO page. */
  readonly cache: MmioCache;
  /** Its translations. */
  readonly tlb: Tlb = new Tlb();
  /** Where its guest is, for tracepoints. */
  rip = 0;
  /** Its last exit. */
  readonly exit: GuestExit = { reason: 0, info1: 0, info2: 0, gpa: 0 };
  /** The own paging of the guest that runs, L1 or L2. */
  guestPaging: GuestPaging;
  /** The last walk of the shadow tables. */
  readonly walk: ShadowWalk = { page: NO_PAGE, index: 0, level: 0, lo: 0, hi: 0 };

  /**
   * Makes the state of a vCPU that has not run.
   *
   * @param index Its number.
   * @param cacheRule What its MMIO cache knows of the generation.
   * @param guestPaging The guest's own paging.
   * @param shadow Shadow paging, if that is what its processor needs.
   */
  constructor(index: number, cacheRule: MmioCacheRule, guestPaging: GuestPaging, shadow?: ShadowContext) {
    this.index = index;
    this.guestPaging = guestPaging;
    this.shadow = shadow;
    this.nested = undefined;
    this.cache = new MmioCache(cacheRule);
  }

  /** It has no root any more. KVM flushes its TLB before its guest runs on another: what that holds is lost at once. */
  dropRoot(): void {
    this.root = NO_PAGE;
    this.tlb.flush();
  }

  /** Nobody looks at the last exit again: states that differ only in it are one. */
  forgetExit(): void {
    const { exit, shadow } = this;
    exit.reason = 0;
    exit.info1 = 0;
    exit.info2 = 0;
    exit.gpa = 0;
    if (shadow !== undefined) shadow.exitErrorCode = 0;
  }

  /** Whether it runs L2, so that addresses that fault are guest-physical ones of L2 (`mmu_is_nested`). */
  get inL2(): boolean {
    return this.nested !== undefined && this.nested.active;
  }
}
