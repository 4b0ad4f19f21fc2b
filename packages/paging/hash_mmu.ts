import type { StateHasher } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";

/**
 * Folds the state of an MMU into a hash: everything that a later step could read. Work counts and statistics are left
 * out, as nothing depends on them. O(entries of all shadow pages).
 */
export function hashMmu(mmu: Mmu, hasher: StateHasher): void {
  const { pool } = mmu;
  hasher.add(mmu.lock.owner).add(mmu.validGen).add(mmu.maxPages).add(pool.used).add(mmu.sweepCursor);
  for (const page of mmu.zapped) hasher.add(page);
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    hasher.add(page).add(pool.gfn[page]).add(pool.role[page]).add(pool.validGen[page]).add(pool.rootCount[page]);
    hasher.add(pool.newerThan(page)).add(pool.mmioCached(page) ? 1 : 0);
    const lanes = pool.lanes(page);
    const offset = pool.laneOffset(page);
    for (let at = offset; at < offset + 1024; at += 2) {
      if ((lanes[at] | lanes[at + 1]) !== 0) hasher.add(at - offset).add(lanes[at]).add(lanes[at + 1]);
    }
  }
  for (const vcpu of mmu.vcpus) {
    const { walk, exit } = vcpu;
    hasher.add(vcpu.asId).add(vcpu.root).add((vcpu.flushRequested ? 1 : 0) + (vcpu.reloadRequested ? 2 : 0));
    hasher.add(walk.page).add(walk.index).add(walk.level).add(walk.lo).add(walk.hi);
    hasher.add(exit.reason).add(exit.info1).add(exit.gpa);
    vcpu.cache.hashInto(hasher);
    vcpu.tlb.hashInto(hasher);
  }
}
