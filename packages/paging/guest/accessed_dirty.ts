import { KVM_MMU_SET_ACCESSED_BIT, KVM_MMU_SET_DIRTY_BIT } from "@mmu-lab/tracing";
import { type GuestWalker, Place } from "./guest_walker.ts";
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
  const { accessed, dirty, rules, format } = role;
  const { places } = walker;
  for (let level = walker.maxLevel; level >= walker.level; level--) {
    const place = level << Place.SHIFT;
    const lo = places[place | Place.PTE_LO];
    const hi = places[place | Place.PTE_HI];
    let updated = lo;
    if ((lo & accessed) === 0) {
      if (trace.on) trace.emit(KVM_MMU_SET_ACCESSED_BIT, mmu.vcpu, walker.pteGpa(level, format));
      updated |= accessed;
    }
    if (write && level === walker.level && (lo & dirty) === 0) {
      if (trace.on) trace.emit(KVM_MMU_SET_DIRTY_BIT, mmu.vcpu, walker.pteGpa(level, format));
      updated |= dirty;
    }
    if (updated === lo) continue;
    // What names the table is the entry above, unless a second dimension has translated it.
    const table = mmu.nested === undefined ? (level + 1) << Place.SHIFT : place | Place.REAL_LO;
    const tableLo = places[table];
    const tableHi = places[table | 1];
    if (!tables.isWritable(tableLo, tableHi)) continue;
    const index = walker.pteIndex(level, format);
    const result = role.eightBytes
      ? tables.compareExchange8(tableLo, tableHi, index, lo, hi, updated, hi)
      : tables.compareExchange4(tableLo, tableHi, index, lo, updated);
    if (result !== 0) return result;
    tables.markPageDirty(walker.tableGfn(level));
    walker.keepCopy(level, updated, hi, rules.updatedCopy === "level-above");
  }
  return 0;
}
