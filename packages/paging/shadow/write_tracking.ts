/**
 * Write tracking of guest tables above level 1 (`page_track.c`, from 4.7 on): they are never out of date.
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import type { Mmu } from "../mmu.ts";
import { PFERR_PRESENT, PFERR_RSVD, PFERR_WRITE } from "../fault/pferr.ts";
import { entryIndex } from "../pages/shadow_walk.ts";
import { SPTE_LARGE } from "../pages/spte_bits.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { beginShadowWalk } from "./shadow_roots.ts";

const WRITE_TO_PRESENT = PFERR_WRITE | PFERR_PRESENT;
const TELLING = WRITE_TO_PRESENT | PFERR_RSVD;

/** Whether a fault is for a write to a table that is tracked (`page_fault_handle_page_track`, 4.10 mmu.c). */
export function writesUpperTable(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn, errorCode: number): boolean {
  if (mmu.shadowRules.writeToUpperTable !== "emulated-at-once" || (errorCode & TELLING) !== WRITE_TO_PRESENT) {
    return false;
  }
  mmu.execution.touched |= READS_TABLES;
  return mmu.shadow.isTracked(gfn, vcpu.asId);
}

/** The tables that an address is reached by are in use: their floods are forgotten (`shadow_page_table_clear_flood`). */
export function clearFloods(mmu: Mmu, vcpu: VcpuMmu, page: number): void {
  mmu.execution.touched |= WRITES_TABLES;
  let { page: table, level } = beginShadowWalk(vcpu, page);
  for (; level >= 1; level--) {
    const index = entryIndex(page, level);
    const lo = mmu.pool.lo(table, index);
    const hi = mmu.pool.hi(table, index);
    mmu.shadow.floods.delete(table);
    if (!mmu.isPresent(lo, hi) || (lo & SPTE_LARGE) !== 0) return;
    table = mmu.childOf(lo, hi);
  }
}
