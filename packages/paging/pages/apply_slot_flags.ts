import type { Memslot } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { isReadOnly } from "./map.ts";
import type { Mmu } from "../mmu.ts";
import { applyFlagsToTdp } from "../tdp-mmu/dirty_log.ts";
import { removeWriteAccess } from "./write_protect.ts";
import { zapCollapsible } from "./zap_collapsible.ts";

/**
 * What the end of a memslot update does to the mappings of the slot, for its flags (`kvm_arch_commit_memory_region`, 3.11;
 * `kvm_mmu_slot_apply_flags`, 6.1 x86.c): if it logs dirty pages, writes must be noticed; if it does so no more, mappings go
 * that a large page could stand for.
 *
 * @param old The slot as it was, if there was one.
 * @param slot The slot as it is now.
 * @param flagsOnly Whether nothing but flags has changed.
 */
export function* applySlotFlags(
  mmu: Mmu,
  old: Memslot | undefined,
  slot: Memslot,
  flagsOnly: boolean,
): Protocol<void> {
  if (mmu.pageRules.commit === "by-change" && (!flagsOnly || isReadOnly(slot))) return;
  if (mmu.tdp !== undefined) return yield* applyFlagsToTdp(mmu, mmu.tdp, slot);
  if (slot.dirtyBitmap !== null) yield* removeWriteAccess(mmu, slot);
  else if (mmu.pageRules.collapses !== "none" && old !== undefined && old.dirtyBitmap !== null) {
    yield* zapCollapsible(mmu, slot);
  }
}
