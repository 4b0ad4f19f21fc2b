import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { UNMAP_GFN_RANGE, UNMAP_GFN_RANGE_RET } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import { asIdOf, isInvalid } from "../role.ts";
import { WRITES_TABLES } from "../touches.ts";
import { eachEntry } from "./each_entry.ts";
import { setTdpSpte } from "./set_spte.ts";
import { isLast } from "./spte.ts";

/**
 * Empties every mapping of a slot's gfns, in all roots of its address space, and flushes the TLBs if one was in use
 * (`kvm_arch_flush_shadow_memslot` with KVM_X86_QUIRK_SLOT_ZAP_ALL disabled, by way of `kvm_tdp_mmu_unmap_gfn_range`, 6.12;
 * facts sheet 4.7). Tables stay. So do MMIO sptes, in the range too: they are not present. A large page goes whole, though
 * part of it be another slot's.
 *
 * @param slot The slot as it was.
 * @throws {RangeError} Without a TDP MMU.
 */
export function* unmapGfnRange(mmu: Mmu, slot: Memslot): Protocol<void> {
  if (mmu.tdp === undefined) throw new RangeError("Cannot zap the mappings of one slot: the VM has no TDP MMU");
  yield mmu.lock.acquire;
  const { pool, trace, tdp } = mmu;
  const end = slot.baseGfn + slot.npages;
  if (trace.on) trace.emit(UNMAP_GFN_RANGE, -1, slot.baseGfn, end);
  mmu.execution.touched |= WRITES_TABLES;
  let flush = false;
  for (const { page: root } of tdp.roots) {
    if (asIdOf(pool.role[root]) !== slot.asId) continue;
    eachEntry(mmu, root, slot.baseGfn, end, 1, (page, index, level) => {
      if (!isLast(pool.lo(page, index), level)) return;
      setTdpSpte(mmu, page, index, 0, pool.emptyHi);
      // Nobody runs on an invalid root any more without a flush.
      if (!isInvalid(pool.role[root])) flush = true;
    });
  }
  if (trace.on) trace.emit(UNMAP_GFN_RANGE_RET, -1, flush ? 1 : 0);
  if (flush) mmu.flushRemoteTlbs();
  yield mmu.lock.release;
}
