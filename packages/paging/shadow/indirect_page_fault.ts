import { type Protocol, Work } from "@mmu-lab/protocol";
import { makePagesAvailable } from "../pages/reclaim.ts";
import { walkAddr } from "../guest/walk_addr.ts";
import { highWord, linearPage } from "../linear_address.ts";
import { isReadOnly } from "../pages/map.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { isObsoleteRoot } from "../root.ts";
import type { Mapping } from "../pages/set_leaf.ts";
import { FILL_MMIO_CACHE, LOOK_UP_SLOT, STAMP_MMIO_SPTE, WALK_GUEST_TABLES } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { fetchMapping } from "./fetch.ts";
import { injectPageFault } from "./inject_page_fault.ts";
import { accessWithoutWp, isSelfChange, observeWalk } from "./guest_mapping.ts";
import { clearFloods, writesUpperTable } from "./write_tracking.ts";

/**
 * The page fault of a guest whose tables are shadowed, as in 6.1 (`FNAME(page_fault)`, 6.1 and 6.12 paging_tmpl.h): the slot
 * is looked up once, the level chosen when the guest's tables are shadowed, and a root that became obsolete meanwhile gets no
 * mapping.
 *
 * @param gva The linear address that faulted; the guest-physical one of L2 where the tables are L1's EPT.
 * @param errorCode PFERR bits.
 */
export function* indirectPageFault(mmu: Mmu, vcpu: VcpuMmu, gva: number, errorCode: number): Protocol<RetPfResult> {
  const context = contextOf(vcpu);
  const { walker } = context;
  yield WALK_GUEST_TABLES;
  // A reserved bit is one of the shadow tables, and not the guest's.
  const access = (errorCode & ~PFERR_RSVD) >>> 0;
  if (!walkAddr(context.walk, walker, gva | 0, highWord(gva), access)) {
    yield* injectPageFault(mmu, vcpu);
    return RetPf.RETRY;
  }
  if (mmu.execution.keepsObservations) observeWalk(mmu, walker, gva, errorCode);
  const write = (errorCode & PFERR_WRITE) !== 0;
  const user = (errorCode & PFERR_USER) !== 0;
  yield LOOK_UP_SLOT;
  const found = mmu.slotOf(vcpu, walker.gfn);
  if (writesUpperTable(mmu, vcpu, walker.gfn, errorCode)) {
    clearFloods(mmu, vcpu, linearPage(gva));
    return RetPf.WRITE_PROTECTED;
  }
  mmu.counters.counts[Work.slowFaults]++;
  if (found?.invalid && mmu.faultRules.invalidSlot === "retry") return RetPf.RETRY;
  const slot = mmu.keepSlot(found);
  let allowed = walker.pteAccess;
  if (slot === undefined) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(vcpu.inL2 ? 0 : gva, walker.gfn, allowed, mmu.cacheSlotsOf(vcpu));
    if (!mmu.layout.cachingEnabled || walker.gfn > mmu.maxGfn) return RetPf.EMULATE;
  } else {
    // KVM_PFN_ERR_RO_FAULT
    if (write && isReadOnly(slot)) return RetPf.EMULATE;
    allowed = accessWithoutWp(context, write, user);
  }
  yield slot === undefined ? mmu.lock.enter : mmu.lock.acquire;
  makePagesAvailable(mmu);
  let result: RetPfResult = RetPf.RETRY;
  if (!isObsoleteRoot(mmu, vcpu)) {
    if (slot === undefined) yield STAMP_MMIO_SPTE;
    const writable = slot !== undefined && !isReadOnly(slot);
    const mapping: Mapping = { gfn: walker.gfn, level: 1, slot, pfn: 0, writable };
    const small = mmu.shadowRules.selfChange === "small-pages" && isSelfChange(context, user);
    const largest = small ? 1 : walker.level;
    result = fetchMapping(mmu, vcpu, linearPage(gva), mapping, allowed, write, largest);
  }
  yield mmu.lock.leave;
  return result;
}
