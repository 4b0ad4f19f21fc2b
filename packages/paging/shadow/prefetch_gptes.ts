import { Work } from "@mmu-lab/protocol";
import { ACC_WRITE } from "@mmu-lab/spte-encoding";
import { hvaOf, isReadOnly } from "../pages/map.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { prefetch, PREFETCH_ENTRIES } from "../pages/prefetch.ts";
import { isDirect, levelOf } from "../pages/role.ts";
import { type Mapping, setLeaf } from "../pages/set_leaf.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { dropSpte } from "../pages/zap.ts";
import { Gpte, isUsableGpte, readGpte } from "./gpte.ts";

const mapping: Mapping = { gfn: 0, level: 1, slot: undefined, pfn: 0, writable: true };
const gpte = new Gpte();

/**
 * Maps what a guest entry says, without a fault (`FNAME(prefetch_gpte)`). An entry that cannot be taken up is cleared.
 *
 * @param noDirtyLog Whether slots with dirty logging are left alone where the entry allows to write.
 * @returns Whether it is mapped.
 */
export function prefetchGpte(
  mmu: Mmu,
  vcpu: VcpuMmu,
  page: PageId,
  index: number,
  entry: Gpte,
  noDirtyLog: boolean,
): boolean {
  if (!isUsableGpte(mmu, vcpu, page, entry)) {
    dropSpte(mmu, page, index);
    return false;
  }
  const slot = mmu.slotOf(vcpu, entry.gfn);
  if (slot === undefined || slot.invalid || isReadOnly(slot)) return false;
  if (noDirtyLog && (entry.access & ACC_WRITE) !== 0 && slot.dirtyBitmap !== null) return false;
  mapping.gfn = entry.gfn;
  mapping.slot = slot;
  mapping.pfn = mmu.host.pfn(hvaOf(slot, entry.gfn));
  setLeaf(mmu, vcpu, page, index, mapping, 1, entry.access, true, false);
  return true;
}

/**
 * Maps the neighbours of an entry that was just written, among the eight that it is aligned in, until one cannot be
 * (`FNAME(pte_prefetch)`). Present entries are left alone; an MMIO spte is not one, so a stale one may be overwritten,
 * and one whose guest entry was never used is cleared (facts sheet 3.5).
 *
 * The kernel read the guest's entries a moment before, to see whether they had changed; here it is the same moment.
 */
export function prefetchNeighbours(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number): void {
  const { pool } = mmu;
  if (levelOf(pool.role[page]) > 1) return;
  if (isDirect(pool.role[page])) return prefetch(mmu, vcpu, page, index);
  const first = index & ~(PREFETCH_ENTRIES - 1);
  for (let at = first; at < first + PREFETCH_ENTRIES; at++) {
    mmu.counters.counts[Work.sptesVisited]++;
    if (at === index || mmu.isPresent(pool.lo(page, at), pool.hi(page, at))) continue;
    if (!readGpte(mmu, vcpu, page, at, gpte) || !prefetchGpte(mmu, vcpu, page, at, gpte, true)) return;
  }
}
