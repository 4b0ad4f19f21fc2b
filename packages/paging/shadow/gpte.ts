import type { Gfn } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { ACC_WRITE, addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import { gpteAccess } from "../guest/guest_walker.ts";
import { isBadMemoryType } from "../guest/walk_addr.ts";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { accessOf, quadrantOf } from "../pages/role.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { contextOf } from "./context_of.ts";

/** A guest entry of level 1 as KVM takes it up. Reused. */
export class Gpte {
  /** Bits 31:0. */
  lo = 0;
  /** Bits 63:32. */
  hi = 0;
  /** The frame. */
  gfn: Gfn = 0;
  /** What it allows in its page: exec 1, write 2, user 4; no write while it is clean. */
  access = 0;
}

/**
 * Reads the guest entry that an entry of a level-1 page shadows.
 *
 * @returns Whether there is memory to read it from.
 */
export function readGpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, index: number, into: Gpte): boolean {
  const { tables, role } = contextOf(vcpu).walk;
  const table = tables.find(addressLo(mmu.pool.gfn[page]), addressHi(mmu.pool.gfn[page]));
  if (table < 0) return false;
  mmu.counters.counts[Work.gptesRead]++;
  // Not by the page's role, which may be wrong about L1's EPT; see NestedRules.gpteSize.
  if (!role.eightBytes) {
    into.lo = tables.lanes[table + quadrantOf(mmu.pool.role[page]) * 512 + index];
    into.hi = 0;
  } else {
    into.lo = tables.lanes[table + 2 * index];
    into.hi = tables.lanes[table + 2 * index + 1];
  }
  return true;
}

/**
 * Whether a guest entry of level 1 can be shadowed without a fault: not one that is not present, has reserved bits, or was
 * never used (`FNAME(prefetch_invalid_gpte)`, 3.11 paging_tmpl.h). If it can, `gpte` is told what it maps.
 */
export function isUsableGpte(mmu: Mmu, vcpu: VcpuMmu, page: PageId, gpte: Gpte): boolean {
  const { role } = contextOf(vcpu).walk;
  const { lo, hi } = gpte;
  if ((lo & role.present) === 0 || (lo & role.accessed) !== role.accessed || isBadMemoryType(role, lo)) return false;
  if (((lo & role.reserved[((lo & 0x80) >> 4) | 1]) | (hi & role.reservedHi)) !== 0) return false;
  gpte.gfn = pfnOfLanes(lo, hi);
  gpte.access = accessOf(mmu.pool.role[page]) & gpteAccess(role.ept, lo, hi);
  if ((lo & role.dirty) !== role.dirty) gpte.access &= ~ACC_WRITE;
  return true;
}
