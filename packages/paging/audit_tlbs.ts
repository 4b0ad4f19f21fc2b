import { pagesPerEntry } from "@mmu-lab/memslots";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE } from "./pages/page_pool.ts";
import { levelOf } from "./pages/role.ts";
import { isLast, SPTE_WRITABLE } from "./pages/spte_bits.ts";

/**
 * Audits what flushes are for: a translation that a TLB may still use has an entry in some shadow page that allows as much,
 * so that whoever takes a frame's mappings away, or their write access, meets it there and flushes. A vCPU that was asked
 * to flush, or takes a new root, counts as flushed. Entries that a sync has dropped are excused until the next flush of
 * all, as in the kernel (`kvm->tlbs_dirty`, 3.11 paging_tmpl.h).
 *
 * For an MMU that maps by shadow pages, between operations. It changes nothing. O(512 * pages).
 *
 * @returns What is wrong, a sentence each.
 */
export function auditTlbs(mmu: Mmu): string[] {
  const findings: string[] = [];
  if (mmu.shadow.tlbsDirty) return findings;
  const mapped = new Map<number, boolean>();
  for (const vcpu of mmu.vcpus) {
    if (vcpu.flushRequested || vcpu.reloadRequested || vcpu.root === NO_PAGE) continue;
    if (mapped.size === 0) collectFrames(mmu, mapped);
    for (const { page, pfn, writable } of vcpu.tlb.translations()) {
      const allowed = mapped.get(pfn);
      if (allowed === undefined || (writable && !allowed)) {
        findings.push(
          `vCPU ${vcpu.index} may ${writable ? "write" : "use"} frame 0x${pfn.toString(16)} as page 0x${
            page.toString(16)
          } by its TLB, and ${allowed === undefined ? "no entry maps it" : "no entry lets it write"}`,
        );
      }
    }
  }
  return findings;
}

/** The frames that are mapped, and whether an entry lets them be written. */
function collectFrames(mmu: Mmu, into: Map<number, boolean>): void {
  const { pool } = mmu;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    const level = levelOf(pool.role[page]);
    for (let index = 0; index < 512; index++) {
      const lo = pool.lo(page, index);
      const hi = pool.hi(page, index);
      if (pool.isEmpty(lo, hi) || !mmu.isPresent(lo, hi) || !isLast(lo, level)) continue;
      const first = pfnOfLanes(lo, hi & 0xfffff);
      for (let pfn = first; pfn < first + pagesPerEntry(level); pfn++) {
        if (into.get(pfn) !== true) into.set(pfn, (lo & SPTE_WRITABLE) !== 0);
      }
    }
  }
}
