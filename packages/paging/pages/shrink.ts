import type { Protocol } from "@mmu-lab/protocol";
import { zapOldest, zapOldestButRoots } from "./reclaim.ts";
import type { Mmu } from "../mmu.ts";
import { READS_TABLES } from "../touches.ts";
import { commitZap } from "./zap.ts";

/**
 * Gives shadow pages back because the host needs memory (`mmu_shrink`, 3.11; `mmu_shrink_scan`, 6.1). Pages that wait to be
 * freed go first, and nothing else then: they are obsolete, and whoever zaps them has given the lock up for a moment. Else
 * the oldest go: one, a root too (3.11), or as many as are asked for, but no root (6.1); see `PageRules.reclaim`. Takes
 * `mmu_lock`.
 *
 * @param pages How many the host asks for.
 * @returns How many it says have gone. The pages of the TDP MMU are not in the list, and stay.
 */
export function* shrink(mmu: Mmu, pages: number): Protocol<number> {
  mmu.execution.touched |= READS_TABLES;
  if (mmu.tdp !== undefined || (mmu.pool.used === 0 && mmu.zapped.length === 0)) return 0;
  yield mmu.lock.acquire;
  const freed = mmu.zapped.length > 0 ? freeObsolete(mmu) : reclaim(mmu, pages);
  yield mmu.lock.leave;
  return freed;
}

function freeObsolete(mmu: Mmu): number {
  commitZap(mmu);
  return 0;
}

function reclaim(mmu: Mmu, pages: number): number {
  if (mmu.pageRules.reclaim === "oldest-but-roots") return zapOldestButRoots(mmu, pages);
  const freed = zapOldest(mmu) ? 1 : 0;
  commitZap(mmu);
  return freed;
}
