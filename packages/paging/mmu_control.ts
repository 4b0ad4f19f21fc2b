import type { MmuControl } from "@mmu-lab/invalidation";
import { type Lock, type Protocol, Work, type WorkCounters } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { isInvalid } from "./role.ts";
import { commitZap, prepareZap, zapAllPages } from "./zap.ts";

/** What a strategy may do to an MMU; see the contract, `@mmu-lab/invalidation` `strategy.ts`. */
export function mmuControl(mmu: Mmu): MmuControl {
  return new Control(mmu);
}

class Control implements MmuControl {
  readonly #mmu: Mmu;

  constructor(mmu: Mmu) {
    this.#mmu = mmu;
  }

  get lock(): Lock {
    return this.#mmu.lock;
  }

  get counters(): WorkCounters {
    return this.#mmu.counters;
  }

  get pagesWithMmio(): number {
    return this.#mmu.pagesWithMmio;
  }

  get sweepLength(): number {
    return this.#mmu.pool.length;
  }

  zapMmioPages(filter: "mmio-cached" | "every-page"): void {
    const mmu = this.#mmu;
    const { pool, counters } = mmu;
    mmu.lock.assertHeld("walk all shadow pages");
    let page = pool.newest;
    while (page !== NO_PAGE) {
      counters.counts[Work.pagesVisited]++;
      const next = pool.olderThan(page);
      const skip = isInvalid(pool.role[page]) || (filter === "mmio-cached" && !pool.mmioCached(page));
      if (!skip) prepareZap(mmu, page);
      page = next;
    }
    commitZap(mmu);
  }

  sweepMmioSptes(maxPages: number, isStale: (stored: number) => boolean): boolean {
    const mmu = this.#mmu;
    const { pool, counters } = mmu;
    mmu.lock.assertHeld("sweep MMIO sptes");
    const end = Math.min(mmu.sweepCursor + maxPages, pool.length);
    for (let page = mmu.sweepCursor; page < end; page++) {
      counters.counts[Work.pagesVisited]++;
      if (pool.mmioCount[page] > 0) sweepPage(mmu, page, isStale);
    }
    const passDone = end === pool.length;
    mmu.sweepCursor = passDone ? 0 : end;
    return passDone;
  }

  zapAll(): Protocol<void> {
    return zapAllPages(this.#mmu);
  }
}

function sweepPage(mmu: Mmu, page: number, isStale: (stored: number) => boolean): void {
  const { pool, layout, counters } = mmu;
  const lanes = pool.lanes(page);
  const offset = pool.laneOffset(page);
  let left = pool.mmioCount[page];
  let index = 0;
  for (; left > 0; index++) {
    const lo = lanes[offset + 2 * index];
    const hi = lanes[offset + 2 * index + 1];
    if (!layout.isMmio(lo, hi)) continue;
    left--;
    if (!isStale(layout.generationOf(lo, hi))) continue;
    counters.counts[Work.mmioSptesZapped]++;
    mmu.setSpte(page, index, 0, 0);
  }
  counters.counts[Work.sptesVisited] += index;
}
