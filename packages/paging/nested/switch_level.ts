/**
 * A vCPU goes from L1 to L2 and back, and what that does to its roots. Which instruction or exit it is for is not modelled.
 *
 * @module
 */
import type { Protocol } from "@mmu-lab/protocol";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { freeRoot } from "../root.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, putRoot } from "../pages/zap.ts";
import type { NestedState } from "./nested_state.ts";

/** Roots of L2 that are kept beside the one in use (`KVM_MMU_NUM_PREV_ROOTS`). */
const KEPT_ROOTS = 3;

/**
 * L1 enters L2 (`nested_vmx_run`, `prepare_vmcs02`): from here on L1's EPT is shadowed. That the TLB is flushed is a
 * modelling choice; a processor tags it.
 *
 * @param eptp As L1's VMCS has it: address, and 0x1e, or 0x5e for accessed and dirty bits.
 * @throws {RangeError} If L1 may not have that EPTP. @throws {Error} If the vCPU runs L2, or the kernel allows no L2.
 */
export function* enterL2(mmu: Mmu, vcpu: VcpuMmu, eptp: number): Protocol<void> {
  const nested = nestedOf(vcpu);
  if (nested.active) throw new Error(`Cannot enter L2: vCPU ${vcpu.index} runs it already`);
  nested.setEptp(eptp);
  if (nested.rules.roots === "dropped") yield* freeRoot(mmu, vcpu);
  else {
    nested.rootOfL1 = vcpu.root;
    const at = nested.kept.findIndex((kept) => kept.eptp === eptp);
    vcpu.root = at < 0 ? NO_PAGE : nested.kept.splice(at, 1)[0].root;
  }
  nested.active = true;
  vcpu.shadow = nested.context;
  nested.pagingOfL1 = vcpu.guestPaging;
  vcpu.guestPaging = nested.paging;
  vcpu.tlb.flush();
}

/** L2 exits to L1 (`nested_vmx_vmexit`, `load_vmcs12_host_state`). @throws {Error} If the vCPU does not run L2. */
export function* leaveL2(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  const nested = nestedOf(vcpu);
  if (!nested.active) throw new Error(`Cannot leave L2: vCPU ${vcpu.index} runs L1`);
  let dropped: PageId = NO_PAGE;
  if (nested.rules.roots === "dropped") yield* freeRoot(mmu, vcpu);
  else {
    if (vcpu.root !== NO_PAGE) nested.kept.unshift({ eptp: nested.eptp, root: vcpu.root });
    dropped = nested.kept.splice(KEPT_ROOTS + 1)[0]?.root ?? NO_PAGE;
    vcpu.root = nested.rootOfL1;
    nested.rootOfL1 = NO_PAGE;
  }
  nested.active = false;
  vcpu.shadow = undefined;
  vcpu.guestPaging = nested.pagingOfL1;
  vcpu.tlb.flush();
  if (dropped !== NO_PAGE) yield* giveBack(mmu, [dropped]);
}

/**
 * L1 has changed its EPT, and flushes what the vCPU remembers of it (`handle_invept`). With roots that are dropped anyway
 * there is nothing to do but flush: the next root is synced when it is taken. With roots that are kept, those of L2 are
 * given back.
 *
 * @param eptp Of one EPT only; of all unless told.
 */
export function* invept(mmu: Mmu, vcpu: VcpuMmu, eptp?: number): Protocol<void> {
  const nested = nestedOf(vcpu);
  if (nested.active) throw new Error(`Cannot flush EPT: vCPU ${vcpu.index} runs L2, which may not`);
  const concerned = (kept: { readonly eptp: number }) => eptp === undefined || kept.eptp === eptp;
  const roots = nested.kept.filter(concerned).map(({ root }) => root);
  nested.kept = nested.kept.filter((kept) => !concerned(kept));
  if (roots.length > 0) yield* giveBack(mmu, roots);
  mmu.flushLocalTlb(vcpu);
}

/** Gives back all roots that a vCPU keeps and does not use (`kvm_mmu_unload`). */
export function* dropKeptRoots(mmu: Mmu, nested: NestedState): Protocol<void> {
  const roots = nested.kept.map(({ root }) => root);
  if (nested.rootOfL1 !== NO_PAGE) roots.push(nested.rootOfL1);
  nested.rootOfL1 = NO_PAGE;
  nested.kept = [];
  if (roots.length > 0) yield* giveBack(mmu, roots);
}

function* giveBack(mmu: Mmu, roots: readonly PageId[]): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  for (const root of roots) putRoot(mmu, root);
  commitZap(mmu);
  yield mmu.lock.leave;
}

/** What a vCPU has to run L2. @throws {Error} If the kernel lets no guest have a guest. */
function nestedOf(vcpu: VcpuMmu): NestedState {
  if (vcpu.nested === undefined) throw new Error(`vCPU ${vcpu.index} cannot run L2: this kernel has no nested paging`);
  return vcpu.nested;
}
