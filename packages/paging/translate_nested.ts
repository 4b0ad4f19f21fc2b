import { Work } from "@mmu-lab/protocol";
import { Access } from "./backend.ts";
import { linearPage } from "./linear_address.ts";
import type { Mmu } from "./mmu.ts";
import { WRITES_GUEST_TABLES } from "./touches.ts";
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
  let dirty = DIRTY;
  for (let step = 0; step < paging.levels; step++) {
    mmu.counters.counts[Work.walkReferences]++;
    const gpa = paging.entryGpa(gva, step);
    const pfn = tables.walk(mmu, vcpu, gpa, tables.guestTableAccess, false);
    if (pfn < 0) return -1;
    if (paging.inMemory !== true) continue;
    const isLast = step === paging.levels - 1;
    dirty = setGuestBits(mmu, pfn, gpa, isLast && access === Access.WRITE ? ACCESSED | DIRTY : ACCESSED) & DIRTY;
  }
  const pfn = tables.walk(mmu, vcpu, paging.translate(gva), access, true);
  if (pfn < 0) return -1;
  vcpu.tlb.fill(linearPage(gva), pfn, dirty !== 0 && tables.servesWrites(vcpu));
  return pfn;
}

/** Bits 5 and 6 of an entry of the guest's tables. Architecture. */
const ACCESSED = 0x20;
const DIRTY = 0x40;

/** Sets bits in an entry of the guest's tables, as the processor does before it goes on (SDM vol. 3, 4.8); its low lane. */
function setGuestBits(mmu: Mmu, pfn: number, gpa: number, bits: number): number {
  const words = mmu.host.words(pfn);
  const at = (gpa % 4096) >> 2;
  if ((words[at] & bits) !== bits) {
    mmu.execution.touched |= WRITES_GUEST_TABLES;
    words[at] |= bits;
  }
  return words[at];
}
