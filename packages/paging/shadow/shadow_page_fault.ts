import { pagesPerEntry } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { makePagesAvailable } from "../pages/reclaim.ts";
import { walkAddr } from "../guest/walk_addr.ts";
import { adjustToTransparentHugePage, isReadOnly, mapMemory, mappingLevel } from "../pages/map.ts";
import { handleMmioPageFault, MmioFault } from "../mmio/mmio_page_fault.ts";
import type { Mmu } from "../mmu.ts";
import { highWord, linearPage } from "../linear_address.ts";
import { RetPf } from "../fault/ret_pf.ts";
import type { Mapping } from "../pages/set_leaf.ts";
import { PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { FILL_MMIO_CACHE, LOOK_UP_SLOT, STAMP_MMIO_SPTE, WALK_GUEST_TABLES } from "../steps.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { fetchMapping } from "./fetch.ts";
import { accessWithoutWp, isSelfChange, observeWalk } from "./guest_mapping.ts";
import { injectPageFault } from "./inject_page_fault.ts";
import { clearFloods, writesUpperTable } from "./write_tracking.ts";

/**
 * The page fault of a guest whose tables are shadowed (`FNAME(page_fault)`, 3.11 paging_tmpl.h; facts sheet 3.5).
 *
 * @param gva The linear address that faulted; the guest-physical one of L2 where the tables are L1's EPT.
 * @param errorCode PFERR bits.
 * @returns Negative an error, 0 let the guest run on, positive emulate.
 */
export function* shadowPageFault(mmu: Mmu, vcpu: VcpuMmu, gva: number, errorCode: number): Protocol<number> {
  if ((errorCode & PFERR_RSVD) !== 0) {
    const result = yield* handleMmioPageFault(mmu, vcpu, gva);
    if (result !== MmioFault.INVALID) return result;
  }
  const context = contextOf(vcpu);
  const { walker } = context;
  const asked = mmu.shadowRules.reservedBit === "told" ? errorCode : errorCode & ~PFERR_RSVD;
  // The stale MMIO spte, if one led here, is in no local variable any more.
  mmu.execution.keepOnly(gva, errorCode);
  yield WALK_GUEST_TABLES;
  if (!walkAddr(context.walk, walker, gva | 0, highWord(gva), asked)) {
    yield* injectPageFault(mmu, vcpu);
    return 0;
  }
  if (mmu.execution.keepsObservations) observeWalk(mmu, walker, gva, errorCode);
  const write = (errorCode & PFERR_WRITE) !== 0;
  const user = (errorCode & PFERR_USER) !== 0;
  if (writesUpperTable(mmu, vcpu, walker.gfn, errorCode & ~PFERR_RSVD)) {
    clearFloods(mmu, vcpu, linearPage(gva));
    return 1;
  }

  const mapping: Mapping = { gfn: walker.gfn, level: 1, slot: undefined, pfn: 0, writable: false };
  let forceSmall = true;
  if (walker.level > 1 && !isSelfChange(context, user)) {
    yield LOOK_UP_SLOT;
    const slot = mmu.slotOf(vcpu, walker.gfn);
    if (slot !== undefined && !slot.invalid && slot.dirtyBitmap === null) {
      forceSmall = false;
      mapping.level = Math.min(walker.level, mappingLevel(mmu, slot, walker.gfn));
      mapping.gfn -= mapping.gfn % pagesPerEntry(mapping.level);
    }
    mmu.execution.observe(forceSmall ? 0 : mapping.level);
  }

  mmu.counters.counts[Work.slowFaults]++;
  yield LOOK_UP_SLOT;
  const found = mmu.slotOf(vcpu, mapping.gfn);
  if (found?.invalid && mmu.faultRules.invalidSlot === "retry") return 0;
  const slot = mmu.keepSlot(found);
  let access = walker.pteAccess;
  if (slot === undefined) {
    yield FILL_MMIO_CACHE;
    vcpu.cache.fill(vcpu.inL2 ? 0 : gva, mapping.gfn, access, mmu.cacheSlotsOf(vcpu));
    if (!mmu.layout.cachingEnabled) return 1;
  } else {
    if (write && isReadOnly(slot)) return 1;
    mapMemory(mmu, mapping, slot);
    access = accessWithoutWp(context, write, user);
  }
  yield mapping.slot === undefined ? mmu.lock.enter : mmu.lock.acquire;
  makePagesAvailable(mmu);
  if (mapping.slot === undefined) yield STAMP_MMIO_SPTE;
  else if (!forceSmall) adjustToTransparentHugePage(mmu, vcpu, mapping);
  const result = fetchMapping(mmu, vcpu, linearPage(gva), mapping, access, write);
  if (result !== RetPf.RETRY || mmu.shadowRules.countsUnmapped) mmu.stats.pf_fixed++;
  yield mmu.lock.leave;
  return result === RetPf.EMULATE || result === RetPf.WRITE_PROTECTED ? 1 : 0;
}
