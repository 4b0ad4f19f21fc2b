import { Work } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** The tables of a processor with two-dimensional paging that map guest-physical memory. */
export interface NestedTables {
  /** What the processor's own access to an entry of the guest's tables counts as: one of `Access`. */
  readonly guestTableAccess: number;
  /**
   * Walks them for one guest-physical address, and sets accessed and dirty bits.
   *
   * @param access One of `Access`.
   * @param final Whether the address is the one that the guest asked for, and not that of an entry of its tables.
   * @returns The host frame, or -1: then `vcpu.exit` says why.
   */
  walk(mmu: Mmu, vcpu: VcpuMmu, gpa: number, access: number, final: boolean): number;
  /** Whether the TLB may serve writes from the last walk. A write that still has to set a dirty bit must walk again. */
  servesWrites(vcpu: VcpuMmu): boolean;
}

/**
 * Translates as a processor with two-dimensional paging does: each entry of the guest's tables that the walk reads is at
 * a guest-physical address, which is walked for too (SDM vol. 3, 28.3; APM vol. 2, 15.25.5). Fills the TLB.
 *
 * @param gva Guest-virtual address. @param access One of `Access`. @param tables What maps guest-physical memory.
 * @returns The host frame, or -1: then `vcpu.exit` says why.
 */
export function translateNested(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number, tables: NestedTables): number {
  const paging = vcpu.guestPaging;
  for (let step = 0; step < paging.levels; step++) {
    mmu.counters.counts[Work.walkReferences]++;
    if (tables.walk(mmu, vcpu, paging.entryGpa(gva, step), tables.guestTableAccess, false) < 0) return -1;
  }
  const pfn = tables.walk(mmu, vcpu, paging.translate(gva), access, true);
  if (pfn < 0) return -1;
  vcpu.tlb.fill(Math.floor(gva / 4096), pfn, tables.servesWrites(vcpu));
  return pfn;
}
