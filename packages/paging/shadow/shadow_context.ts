import type { StateHasher, WorkCounters } from "@mmu-lab/protocol";
import type { TraceSink } from "@mmu-lab/tracing";
import { type EptState, GuestRole, type PagingState } from "../guest/guest_role.ts";
import type { GuestTables } from "../guest/guest_tables.ts";
import { GuestWalker } from "../guest/guest_walker.ts";
import { WalkMmu } from "../guest/walk_mmu.ts";
import type { GuestWalkRules } from "../guest/walk_rules.ts";
import { NO_PAGE } from "../pages/page_pool.ts";
import { baseRole, type Role } from "../pages/role.ts";
import type { PreviousRoot } from "./previous_roots.ts";
import { SHADOW_RULES_3_11, type ShadowRules } from "./shadow_rules.ts";

/** What a {@linkcode ShadowContext} is put together from. */
export interface ShadowContextParts {
  /** How the guest's tables are read at first. */
  readonly paging: PagingState;
  /** The choices of the kernel. */
  readonly rules: GuestWalkRules;
  /** Guest memory. */
  readonly tables: GuestTables;
  /** Work done. */
  readonly counters: WorkCounters;
  /** Where tracepoints go. */
  readonly trace: TraceSink;
  /** The vCPU's number. */
  readonly vcpu: number;
  /** How this kernel shadows guest tables; as 3.11 unless told. */
  readonly shadowRules?: ShadowRules;
}

/**
 * What a vCPU has whose guest's tables KVM shadows: the guest's control registers, and how KVM walks for it. One without
 * two-dimensional paging always has it; one with EPT while it runs L2, and then the tables are L1's EPT.
 */
export class ShadowContext {
  /** Walks the guest's tables (`struct kvm_mmu`). */
  readonly walk: WalkMmu;
  /** What the last walk left behind. */
  readonly walker: GuestWalker = new GuestWalker();
  /** The roots of a guest that is not in long mode, one for each GiB (`pae_root`). */
  readonly paeRoots: Int32Array = new Int32Array(4).fill(NO_PAGE);
  /** Roots of other CR3s that it keeps. */
  readonly previousRoots: PreviousRoot[];
  /** Whether the guest runs in user mode (CPL 3). */
  userMode = false;
  /** VMX: the error code of the last page fault that was an exit (the interruption error code). */
  exitErrorCode = 0;
  /** Whether a page fault waits to be injected; `walker.fault` says which. */
  faultPending = false;
  /** What all shadow pages of this mode have in common. */
  base: Role;
  #paging: PagingState;
  #asId = 0;
  readonly #rules: GuestWalkRules;
  readonly #forcesNx: boolean;

  /** Makes one whose CR3 is 0. */
  constructor(parts: ShadowContextParts) {
    const { forcesNx, previousRoots } = parts.shadowRules ?? SHADOW_RULES_3_11;
    this.#rules = parts.rules;
    this.#forcesNx = forcesNx;
    this.previousRoots = Array.from({ length: previousRoots }, () => ({ page: NO_PAGE, lo: 0, hi: 0 }));
    this.#paging = parts.paging;
    const role = GuestRole.ofPaging(parts.paging, parts.rules);
    this.walk = new WalkMmu({ ...parts, role });
    this.base = this.#baseOf(parts.paging);
  }

  /** The guest's paging. The vCPU's roots must go when it changes; see `changePaging`. */
  get paging(): PagingState {
    return this.#paging;
  }

  set paging(paging: PagingState) {
    this.#paging = paging;
    this.walk.role = GuestRole.ofPaging(paging, this.#rules);
    this.base = this.#baseOf(paging);
  }

  /** The vCPU goes to another address space. Its roots must go with that; see `changeAddressSpace`. */
  enterAddressSpace(asId: number): void {
    this.#asId = asId;
    this.base = this.#baseOf(this.#paging);
  }

  /**
   * Reads EPT from now on, and not a guest's own tables.
   *
   * @param ept How. @param base What all its shadow pages have in common.
   */
  setEpt(ept: EptState, base: Role): void {
    // EPT does not consume CR0, CR4 and EFER: nobody may write what an entry does not allow to write.
    this.#paging = { format: ept.format, maxphyaddr: ept.maxphyaddr, cr0Wp: true };
    this.walk.role = GuestRole.ofEpt(ept, this.#rules);
    this.base = base;
  }

  /** Folds what a later step could read into a hash, but for the roots. */
  hashInto(hasher: StateHasher): void {
    const { rootLo, rootHi, pdptrs } = this.walk;
    hasher.add(this.base).add(this.#paging.format.rootLevel).add(rootLo).add(rootHi);
    for (const lane of pdptrs) hasher.add(lane);
    hasher.add((this.userMode ? 1 : 0) + (this.faultPending ? 2 : 0)).add(this.exitErrorCode);
    if (!this.faultPending) return;
    const { kind, errorCode, addressLo, addressHi, exitQualification } = this.walker.fault;
    hasher.add(errorCode).add(addressLo).add(addressHi);
    if (kind !== "page-fault") hasher.add(kind === "ept-violation" ? 1 : 2).add(exitQualification);
  }

  /** Whether the guest has paging off: then its linear addresses are mapped, and nothing is shadowed. */
  get nonpaging(): boolean {
    return this.#paging.format.rootLevel === 0;
  }

  /** Whether the guest is in long mode, and its root is shadowed; if not the shadow tables are those of PAE. */
  get isLongMode(): boolean {
    return this.#paging.format.rootLevel >= 4;
  }

  /** Levels of the shadow tables: as many as the guest has in long mode, else the three of PAE. */
  get shadowLevels(): 3 | 4 | 5 {
    const { rootLevel } = this.#paging.format;
    return rootLevel === 5 ? 5 : rootLevel === 4 ? 4 : 3;
  }

  #baseOf(paging: PagingState): Role {
    return baseRole({
      fourByteGptes: paging.format.entryBytes === 4,
      eferNx: this.#forcesNx || paging.eferNx === true,
      cr0Wp: paging.cr0Wp === true,
      smepAndNotWp: paging.cr4Smep === true && paging.cr0Wp !== true,
      smapAndNotWp: paging.cr4Smap === true && paging.cr0Wp !== true,
      asId: this.#asId,
    });
  }
}
