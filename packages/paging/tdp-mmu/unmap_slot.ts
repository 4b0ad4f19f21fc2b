import type { Memslot } from "@mmu-lab/memslots";
import type { Mmu } from "../mmu.ts";
import { asIdOf, isInvalid } from "../pages/role.ts";
import { isLast } from "../pages/spte_bits.ts";
import { eachEntry } from "./each_entry.ts";
import { setTdpSpte } from "./set_spte.ts";
import type { TdpMmu } from "./tdp_mmu.ts";

/**
 * Empties every mapping of a slot's gfns, in all roots of its address space (`kvm_tdp_mmu_unmap_gfn_range`, 6.12). Under
 * `mmu_lock`.
 *
 * @returns Whether one was in use, so that TLBs must be flushed: nobody runs on an invalid root any more without a flush.
 */
export function unmapSlotOfTdp(mmu: Mmu, tdp: TdpMmu, slot: Memslot): boolean {
  const { pool } = mmu;
  let flush = false;
  for (const { page: root } of tdp.roots) {
    if (asIdOf(pool.role[root]) !== slot.asId) continue;
    eachEntry(mmu, root, slot.baseGfn, slot.baseGfn + slot.npages, 1, (page, index, level) => {
      if (!isLast(pool.lo(page, index), level)) return;
      setTdpSpte(mmu, page, index, 0, pool.emptyHi);
      if (!isInvalid(pool.role[root])) flush = true;
    });
  }
  return flush;
}
