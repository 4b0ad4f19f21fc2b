import { KVM_MMU_SET_ACCESSED_BIT, KVM_MMU_SET_DIRTY_BIT } from "@mmu-lab/tracing";
import type { GuestWalker } from "./guest_walker.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/** An entry is no longer what the walk read. */
export const CHANGED = 1;

/**
 * Sets the accessed bit in every entry of a walk that lacks it, and the dirty bit in the leaf on a write, from the root
 * down, each by compare-and-exchange on guest memory (`FNAME(update_accessed_dirty_bits)`; facts sheet 6.2).
 *
 * @returns 0: done; {@linkcode CHANGED}: walk again; -1: an entry cannot be written.
 */
export function updateAccessedDirtyBits(mmu: WalkMmu, walker: GuestWalker, write: boolean): number {
  const { role, tables, trace } = mmu;
  const { accessed, dirty, rules } = role;
  const { ptes, ptep } = walker;
  for (let level = walker.maxLevel; level >= walker.level; level--) {
    const slot = level - 1;
    const lo = ptes[2 * slot];
    const hi = ptes[2 * slot + 1];
    let updated = lo;
    if ((lo & accessed) === 0) {
      if (trace.on) trace.emit(KVM_MMU_SET_ACCESSED_BIT, mmu.vcpu, walker.pteGpa[slot]);
      updated |= accessed;
    }
    if (write && level === walker.level && (lo & dirty) === 0) {
      if (trace.on) trace.emit(KVM_MMU_SET_DIRTY_BIT, mmu.vcpu, walker.pteGpa[slot]);
      updated |= dirty;
    }
    if (updated === lo || !tables.isWritable(ptep[slot])) continue;
    const result = role.format.entryBytes === 8
      ? tables.compareExchange8(ptep[slot], lo, hi, updated, hi)
      : tables.compareExchange4(ptep[slot], lo, updated);
    if (result !== 0) return result;
    tables.markPageDirty(walker.tableGfn[slot]);
    const kept = rules.updatedCopy === "own-level" ? slot : level;
    ptes[2 * kept] = updated;
    ptes[2 * kept + 1] = hi;
  }
  return 0;
}
