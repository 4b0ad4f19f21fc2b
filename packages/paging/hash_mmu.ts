import type { MemslotsView } from "@mmu-lab/memslots";
import { StateHasher } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import type { NestedState } from "./nested/nested_state.ts";
import { NO_PAGE, type PageId } from "./pages/page_pool.ts";
import { isDirect, levelOf } from "./pages/role.ts";
import { PAE_ROOTS } from "./shadow/shadow_roots.ts";
import { isLast } from "./pages/spte_bits.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";

const ofPage = new StateHasher();

/**
 * Folds the state of a VM's MMU that belongs to no vCPU into a hash: everything that a later step could read. Work
 * counts and statistics are left out, as nothing depends on them. So are the numbers of shadow pages, unless the
 * strategy sweeps: states that differ only in which page got which number are the same. So is who holds `mmu_lock`.
 * O(entries of all shadow pages).
 */
export function hashMmu(mmu: Mmu, hasher: StateHasher): void {
  const { pool } = mmu;
  hasher.add(mmu.validGen).add(mmu.maxPages).add(pool.used).add(mmu.sweepCursor);
  // Of pages that wait to be freed nobody can tell more than that there are some, unless they are still read under RCU.
  hasher.add(mmu.zapped.length > 0 ? 1 : 0);
  if (mmu.tdp !== undefined) { for (const page of mmu.zapped) hasher.add(hashPage(mmu, page)); }
  for (const root of mmu.tdp?.roots ?? []) {
    addIdentity(mmu, root.page, hasher);
    hasher.add((root.scheduled ? 1 : 0) + (root.held ? 2 : 0));
  }
  mmu.strategy.hashInto?.(hasher);
  // A sweep goes by the numbers of pages, so under a strategy that sweeps they count.
  if (mmu.strategy.sweep !== undefined) pool.hashFreeInto(hasher);
  for (let page = pool.newest; page !== NO_PAGE; page = pool.olderThan(page)) hasher.add(hashPage(mmu, page));
}

/**
 * Folds the MMU state of one vCPU into a hash, but for its number. What it will not look at again is left out: its last
 * walk, translations that it is about to flush, an MMIO page that it remembers from before the last memslot update.
 *
 * @param spaces The address spaces that it may ever be in; all unless told.
 */
export function hashVcpuMmu(
  mmu: Mmu,
  vcpu: VcpuMmu,
  hasher: StateHasher,
  spaces: readonly MemslotsView[] = mmu.memslots,
): void {
  hasher.add(vcpu.asId).add((vcpu.reloadRequested ? 1 : 0) + (vcpu.syncRequested ? 2 : 0));
  if (vcpu.root !== PAE_ROOTS) addIdentity(mmu, vcpu.root, hasher);
  else for (const root of vcpu.shadow!.paeRoots) addIdentity(mmu, root, hasher);
  for (const { page, lo, hi } of vcpu.shadow?.previousRoots ?? []) {
    addIdentity(mmu, page, hasher);
    if (page !== NO_PAGE) hasher.add(lo).add(hi);
  }
  vcpu.shadow?.hashInto(hasher);
  if (vcpu.nested !== undefined) hashNested(mmu, vcpu.nested, hasher);
  vcpu.cache.hashInto(hasher, spaces);
  // A TLB that is flushed before the guest runs on is as good as an empty one.
  if (!vcpu.flushRequested && !losesRoot(mmu, vcpu)) vcpu.tlb.hashInto(hasher);
  const { reason, info1, info2, gpa } = vcpu.exit;
  hasher.add(reason).add(info1).add(info2).add(gpa);
}

/** Whether the vCPU drops its root before its guest runs on, whatever happens. */
function losesRoot(mmu: Mmu, vcpu: VcpuMmu): boolean {
  return vcpu.reloadRequested && mmu.pageRules.validGeneration === "counted";
}

function hashNested(mmu: Mmu, nested: NestedState, hasher: StateHasher): void {
  nested.hashInto(hasher);
  addIdentity(mmu, nested.rootOfL1, hasher);
  for (const { eptp, root } of nested.kept) {
    hasher.add(eptp);
    addIdentity(mmu, root, hasher);
  }
}

/** What a page is, whatever its number: no two live pages are the same in all of this. */
function addIdentity(mmu: Mmu, page: PageId, hasher: StateHasher): void {
  const { pool } = mmu;
  if (page === NO_PAGE) hasher.add(-1);
  else hasher.add(pool.gfn[page]).add(pool.role[page]).add(pool.validGen[page]);
}

/** What is kept beside a page that shadows a guest table. */
function addShadow(mmu: Mmu, page: PageId, hasher: StateHasher): void {
  const { pool, shadow } = mmu;
  hasher.add(pool.isUnsync(page) ? 1 : 0).add(shadow.floods.get(page) ?? 0);
  for (const index of [...shadow.unsyncChildren.get(page) ?? []].sort((a, b) => a - b)) hasher.add(index);
  const level = levelOf(pool.role[page]);
  for (let index = 0; index < 512; index++) {
    const lo = pool.lo(page, index);
    if (mmu.isPresent(lo, pool.hi(page, index)) && isLast(lo, level)) {
      hasher.add(shadow.gfnOf(page, index));
      if (mmu.shadowRules.unchangedRights === "left-alone") hasher.add(shadow.accessAt(page, index));
    }
  }
}

function hashPage(mmu: Mmu, page: PageId): number {
  const { pool } = mmu;
  ofPage.reset();
  addIdentity(mmu, page, ofPage);
  if (mmu.strategy.sweep !== undefined) ofPage.add(page);
  ofPage.add(pool.rootCount[page]).add(pool.mmioCached(page) ? 1 : 0);
  const lanes = pool.lanes(page);
  const offset = pool.laneOffset(page);
  const level = levelOf(pool.role[page]);
  if (!isDirect(pool.role[page])) addShadow(mmu, page, ofPage);
  for (let at = offset; at < offset + 1024; at += 2) {
    const lo = lanes[at];
    const hi = lanes[at + 1];
    if (pool.isEmpty(lo, hi)) continue;
    ofPage.add(at - offset);
    if (!isLast(lo, level) && mmu.isPresent(lo, hi)) addIdentity(mmu, mmu.childOf(lo, hi), ofPage);
    else ofPage.add(lo).add(hi);
  }
  return ofPage.value;
}
