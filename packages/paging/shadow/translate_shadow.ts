import { Work } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { Access } from "../backend.ts";
import { linearPage } from "../linear_address.ts";
import type { Mmu } from "../mmu.ts";
import { PFERR_FETCH, PFERR_PRESENT, PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { entryIndex } from "../pages/shadow_walk.ts";
import { SPTE_LARGE, SPTE_PRESENT, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { FETCH_PAGES } from "../tlb.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";
import { beginShadowWalk } from "./shadow_roots.ts";

/** What a processor makes of shadow tables, which it takes for the guest's own. */
export interface ShadowProcessor {
  /** Whether it has 5-level paging (LA57); not unless told. */
  readonly la57?: boolean;
  /** Physical address bits: those above are reserved. 36 to 52. */
  readonly maxPhyAddr: number;
  /** Whether the host has EFER.NX set: then the error code of a fetch says that it was one. */
  readonly noExecute: boolean;
  /** Whether a fault for a reserved bit says that the entry is present, as by the manuals. QEMU's TCG for AMD says RSVD alone. */
  readonly reservedFaultIsPresent: boolean;
}

const USER = 4;
const ACCESSED = 0x20;
const DIRTY = 0x40;

/**
 * Translates as a processor does whose CR3 points to shadow tables (SDM vol. 3, chapter 4; APM vol. 2, chapter 5). KVM
 * keeps CR0.WP set while the guest runs. Sets accessed and dirty bits in the shadow tables and fills the TLB. One atomic
 * act.
 *
 * @param gva Linear address, with its sign. @param access One of `Access`.
 * @returns The host frame; or -1 less the error code of the page fault.
 */
export function translateShadow(
  mmu: Mmu,
  vcpu: VcpuMmu,
  gva: number,
  access: number,
  processor: ShadowProcessor,
): number {
  const { pool, counters } = mmu;
  const { userMode, paging } = contextOf(vcpu);
  const page = linearPage(gva);
  const write = access === Access.WRITE;
  const fetch = access === Access.FETCH;
  const code = (write ? PFERR_WRITE : 0) | (userMode ? PFERR_USER : 0) |
    (fetch && processor.noExecute ? PFERR_FETCH : 0);
  const reservedHi = 0xfffff & ~((1 << (processor.maxPhyAddr - 32)) - 1);
  mmu.execution.touched |= READS_TABLES;
  const start = beginShadowWalk(vcpu, page);
  let table = start.page;
  let rights = -1;
  let noExecute = 0;
  for (let { level } = start; level >= 1; level--) {
    const index = entryIndex(page, level);
    const lo = pool.lo(table, index);
    const hi = pool.hi(table, index);
    counters.counts[Work.walkReferences]++;
    if ((lo & SPTE_PRESENT) === 0) return -1 - code;
    if ((hi & reservedHi) !== 0) {
      return -1 - (code | PFERR_RSVD | (processor.reservedFaultIsPresent ? PFERR_PRESENT : 0));
    }
    rights &= lo;
    noExecute |= hi;
    if (level > 1 && (lo & SPTE_LARGE) === 0) {
      table = mmu.childOf(lo, hi);
      continue;
    }
    const isUser = (rights & USER) !== 0;
    const denied = (userMode && !isUser) || (write && (rights & SPTE_WRITABLE) === 0) ||
      (fetch && (noExecute < 0 || (!userMode && isUser && paging.cr4Smep === true)));
    if (denied) return -1 - (code | PFERR_PRESENT);
    const used = lo | ACCESSED | (write ? DIRTY : 0);
    if (used !== lo) {
      mmu.execution.touched |= WRITES_TABLES;
      pool.set(table, index, used, hi);
    }
    const frame = pfnOfLanes(lo, hi & 0xfffff) + (level === 1 ? 0 : page % 512 ** (level - 1));
    const servesWrites = (rights & SPTE_WRITABLE) !== 0 && (used & DIRTY) !== 0;
    vcpu.tlb.fill(fetch ? page + FETCH_PAGES : page, frame, servesWrites);
    return frame;
  }
  return -1 - code;
}
