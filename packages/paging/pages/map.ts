import { type Gfn, largePageAllowed, MEM_READONLY, type Memslot, pagesPerEntry } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_ALL } from "@mmu-lab/spte-encoding";
import { getPage } from "./get_page.ts";
import type { Mmu } from "../mmu.ts";
import { prefetch } from "./prefetch.ts";
import { RetPf, type RetPfResult } from "../fault/ret_pf.ts";
import { directRole, directShadowRole } from "./role.ts";
import { entryIndex } from "./shadow_walk.ts";
import { SPTE_LARGE } from "./spte_bits.ts";
import { linkPage, type Mapping, setLeaf } from "./set_leaf.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { getShadowPage } from "../shadow/get_shadow_page.ts";
import { beginShadowWalk } from "../shadow/shadow_roots.ts";
import { READS_TABLES } from "../touches.ts";

/**
 * Maps a gfn in a direct MMU: makes the tables that miss, and writes the leaf, RAM or MMIO (`__direct_map`, 3.11; `direct_map`,
 * 6.1; facts sheet 3.4 step 8). A large page that is in the way goes. Under `mmu_lock`.
 *
 * @param write Whether the access is a write.
 * @returns What became of the fault: `EMULATE`, `FIXED`, `SPURIOUS`, or `WRITE_PROTECTED`.
 */
export function directMap(mmu: Mmu, vcpu: VcpuMmu, faultGfn: Gfn, mapping: Mapping, write: boolean): RetPfResult {
  const { pool, counters } = mmu;
  mmu.execution.touched |= READS_TABLES;
  let page = vcpu.root;
  let level: number = mmu.rootLevel;
  if (vcpu.shadow !== undefined) ({ page, level } = beginShadowWalk(vcpu, faultGfn));
  for (;; level--) {
    const index = entryIndex(mapping.gfn, level);
    counters.counts[Work.sptesVisited]++;
    if (level === mapping.level) {
      const result = setLeaf(mmu, vcpu, page, index, mapping, level, ACC_ALL, false, write);
      if (mmu.bits.accessed !== 0 && level === 1 && result !== RetPf.SPURIOUS) prefetch(mmu, vcpu, page, index);
      return result;
    }
    const lo = pool.lo(page, index);
    if (!mmu.isPresent(lo, pool.hi(page, index)) || (lo & SPTE_LARGE) !== 0) {
      const gfn = faultGfn - (faultGfn % pagesPerEntry(level));
      const child = vcpu.shadow === undefined
        ? getPage(mmu, gfn, directRole(level - 1, vcpu.asId))
        : getShadowPage(mmu, vcpu, gfn, directShadowRole(vcpu.shadow.base, level - 1, ACC_ALL));
      linkPage(mmu, page, index, child);
    }
    page = mmu.childOf(pool.lo(page, index), pool.hi(page, index));
  }
}

/** Host virtual address of a gfn in its slot. */
export function hvaOf(slot: Memslot, gfn: Gfn): number {
  return slot.userspaceAddr + (gfn - slot.baseGfn) * 4096;
}

/** Whether writes by the guest do not reach the slot's memory. */
export function isReadOnly(slot: Memslot): boolean {
  return (slot.flags & MEM_READONLY) !== 0;
}

/** Lets a mapping lead to the memory of a slot. */
export function mapMemory(mmu: Mmu, mapping: Mapping, slot: Memslot): void {
  mapping.slot = slot;
  mapping.pfn = mmu.host.pfn(hvaOf(slot, mapping.gfn));
  mapping.writable = !isReadOnly(slot);
}

/** The largest level at which host page, processor and slot allow to map the gfn (`mapping_level`, 3.11). */
export function mappingLevel(mmu: Mmu, slot: Memslot, gfn: Gfn): number {
  const largest = Math.min(mmu.host.mappingLevel(hvaOf(slot, gfn)), mmu.maxPageLevel);
  let level = 1;
  while (level < largest && mayBeLarge(mmu, slot, gfn, level + 1)) level++;
  return level;
}

/** Maps 2 MiB at once where the host has a transparent huge page (`transparent_hugepage_adjust`, 3.11). */
export function adjustToTransparentHugePage(mmu: Mmu, vcpu: VcpuMmu, mapping: Mapping): void {
  const { slot, gfn } = mapping;
  if (slot === undefined || mapping.level !== 1 || mmu.maxPageLevel < 2) return;
  if (!mmu.host.isTransparentHuge(hvaOf(slot, gfn))) return;
  const current = mmu.slotOf(vcpu, gfn);
  if (current === undefined || !mayBeLarge(mmu, current, gfn, 2)) return;
  if (gfn % 512 !== mapping.pfn % 512) {
    // The kernel has a VM_BUG_ON here: a slot that was moved keeps the limits of its first place.
    mmu.warnings.push(`gfn 0x${gfn.toString(16)} and its huge page are not aligned to each other`);
    return;
  }
  mapping.level = 2;
  mapping.gfn = gfn - (gfn % 512);
  mapping.pfn -= mapping.pfn % 512;
}

/** Whether a gfn may be mapped large: by its slot, and since no shadowed table lies there (`has_wrprotected_page`). */
function mayBeLarge(mmu: Mmu, slot: Memslot, gfn: Gfn, level: number): boolean {
  return largePageAllowed(slot, gfn, level) && !mmu.shadow.hasShadowed(gfn, level, slot.asId);
}
