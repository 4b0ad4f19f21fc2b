import { type Protocol, Work } from "@mmu-lab/protocol";
import { KVM_MMU_GET_PAGE, KVM_MMU_ZAP_ALL_FAST } from "@mmu-lab/tracing";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "../pages/page_pool.ts";
import { directRole, invalidated, isInvalid, type Role } from "../pages/role.ts";
import { isLast } from "../pages/spte_bits.ts";
import { WRITES_ROOTS, WRITES_TABLES } from "../touches.ts";
import { tracePage } from "../trace_page.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { eachEntry } from "./each_entry.ts";
import { exchangeSpte, forget, setTdpSpte } from "./set_spte.ts";
import { EXCHANGE_SPTE } from "./steps.ts";
import { freeRemoved, rcuReadLock, rcuReadUnlock, type TdpMmu, type TdpRoot } from "./tdp_mmu.ts";

/** Makes a page of the TDP MMU (`tdp_mmu_alloc_sp`, `tdp_mmu_init_sp`). Nothing links it yet. */
export function allocatePage(mmu: Mmu, gfn: number, role: Role): PageId {
  mmu.execution.touched |= WRITES_TABLES;
  mmu.counters.counts[Work.pagesAllocated]++;
  const page = mmu.pool.allocate(gfn, role, mmu.validGen);
  mmu.pool.used++;
  if (mmu.trace.on) tracePage(mmu, KVM_MMU_GET_PAGE, page, "new");
  return page;
}

/** Takes the valid root of the vCPU's address space, or makes one (`kvm_tdp_mmu_get_vcpu_root_hpa`). */
export function* takeTdpRoot(mmu: Mmu, tdp: TdpMmu, vcpu: VcpuMmu): Protocol<void> {
  const { pool } = mmu;
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  const role = directRole(mmu.rootLevel, vcpu.asId);
  let root = tdp.roots.find(({ page }) => pool.role[page] === role)?.page;
  if (root === undefined) {
    root = allocatePage(mmu, 0, role);
    tdp.roots.unshift({ page: root, scheduled: false, held: true });
  }
  pool.rootCount[root]++;
  vcpu.root = root;
  yield mmu.lock.leave;
}

/** Gives a vCPU's root back (`kvm_mmu_free_roots`); the last to do so frees it, if the TDP MMU has let go of it too. */
export function* dropTdpRoot(mmu: Mmu, tdp: TdpMmu, vcpu: VcpuMmu): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  mmu.pool.rootCount[vcpu.root]--;
  const root = tdp.roots.find(({ page }) => page === vcpu.root)!;
  vcpu.dropRoot();
  freeIfUnused(mmu, tdp, root);
  yield mmu.lock.leave;
}

/**
 * Makes all roots invalid under the lock, and zaps them after it has been given up and taken again to read
 * (`kvm_mmu_zap_all_fast`, 6.1 mmu.c): until a vCPU has taken a new root, it faults on the old one and tries again.
 */
export function* zapAllFast(mmu: Mmu, tdp: TdpMmu): Protocol<void> {
  yield mmu.lock.acquire;
  // The kernel does not count pages of the TDP MMU.
  if (mmu.trace.on) mmu.trace.emit(KVM_MMU_ZAP_ALL_FAST, -1, mmu.validGen, 0);
  mmu.execution.touched |= WRITES_TABLES;
  mmu.renewValidGen();
  for (const root of tdp.roots) {
    if (isInvalid(mmu.pool.role[root.page])) continue;
    root.scheduled = true;
    mmu.pool.role[root.page] = invalidated(mmu.pool.role[root.page]);
  }
  mmu.reloadRemoteMmus();
  yield mmu.lock.release;
  yield* zapInvalidatedRoots(mmu, tdp);
}

/** Zaps the roots that are scheduled for it (`kvm_tdp_mmu_zap_invalidated_roots`). */
function* zapInvalidatedRoots(mmu: Mmu, tdp: TdpMmu): Protocol<void> {
  yield mmu.lock.acquireRead;
  rcuReadLock(mmu, tdp);
  mmu.execution.touched |= WRITES_TABLES;
  for (const root of [...tdp.roots]) {
    if (!root.scheduled) continue;
    root.scheduled = false;
    for (const level of zapLevels(mmu, tdp)) yield* zapBelow(mmu, root.page, mmu.rootLevel, level);
    mmu.execution.touched |= WRITES_TABLES;
    root.held = false;
    freeIfUnused(mmu, tdp, root);
  }
  rcuReadUnlock(mmu, tdp);
  yield mmu.lock.releaseRead;
}

/** The levels whose entries go, one after the other, so that no single act takes too long (`tdp_mmu_zap_root`). */
function zapLevels(mmu: Mmu, tdp: TdpMmu): number[] {
  const { firstZapLevel = 3 } = tdp.rules;
  return [1, 2, 3, mmu.rootLevel].filter((level) => level >= firstZapLevel);
}

/** Zaps the entries of one level below a root, with what each links (`__tdp_mmu_zap_root`). */
function* zapBelow(mmu: Mmu, page: PageId, level: number, zapLevel: number): Protocol<void> {
  const { pool, counters } = mmu;
  counters.counts[Work.sptesVisited] += 512;
  for (let index = 0; index < 512; index++) {
    const lo = pool.lo(page, index);
    const hi = pool.hi(page, index);
    if (!mmu.isPresent(lo, hi)) continue;
    if (level > zapLevel) {
      if (!isLast(lo, level)) yield* zapBelow(mmu, mmu.childOf(lo, hi), level - 1, zapLevel);
      continue;
    }
    mmu.execution.observe(index);
    yield EXCHANGE_SPTE;
    // What others do to an entry of an invalid root meanwhile is to set bits of it: it is read and written in one.
    exchangeSpte(mmu, page, index, pool.lo(page, index), pool.hi(page, index), 0, pool.emptyHi);
  }
}

/** Zaps everything when the VM goes (`kvm_tdp_mmu_zap_all` in `kvm_mmu_zap_all`). */
export function* zapAllTdp(mmu: Mmu, tdp: TdpMmu): Protocol<void> {
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  const end = 512 ** mmu.rootLevel;
  for (const { page: root } of tdp.roots) {
    for (const zapLevel of zapLevels(mmu, tdp)) {
      eachEntry(mmu, root, 0, end, zapLevel, (page, index, level) => {
        if (level === zapLevel) setTdpSpte(mmu, page, index, 0, mmu.pool.emptyHi);
      });
    }
  }
  freeRemoved(mmu, tdp);
  yield mmu.lock.release;
}

/** Lets the TDP MMU's own hold on its roots go at the end of a VM (`kvm_mmu_uninit_tdp_mmu`). */
export function* releaseRoots(mmu: Mmu, tdp: TdpMmu): Protocol<void> {
  mmu.execution.touched |= WRITES_ROOTS;
  for (const root of tdp.roots) {
    root.scheduled = true;
    mmu.pool.role[root.page] = invalidated(mmu.pool.role[root.page]);
  }
  yield* zapInvalidatedRoots(mmu, tdp);
}

function freeIfUnused(mmu: Mmu, tdp: TdpMmu, root: TdpRoot): void {
  if (root.held || mmu.pool.rootCount[root.page] > 0) return;
  tdp.roots.splice(tdp.roots.indexOf(root), 1);
  forget(mmu, root.page);
  freeRemoved(mmu, tdp);
}
