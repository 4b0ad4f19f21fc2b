import type { MmuControl } from "@mmu-lab/invalidation";
import { type Lock, type Protocol, Work, type WorkCounters } from "@mmu-lab/protocol";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE, type PageId } from "./pages/page_pool.ts";
import { asIdOf, isInvalid } from "./pages/role.ts";
import { setTdpSpte } from "./tdp-mmu/set_spte.ts";
import { freeRemoved, type TdpMmu } from "./tdp-mmu/tdp_mmu.ts";
import { commitZap, prepareZap, zapAllPages } from "./pages/zap.ts";
import { READS_TABLES, WRITES_TABLES } from "./touches.ts";

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
    this.#mmu.execution.touched |= READS_TABLES;
    return this.#mmu.pagesWithMmio;
  }

  get sweepLength(): number {
    this.#mmu.execution.touched |= READS_TABLES;
    return this.#mmu.pool.length;
  }

  zapMmioPages(filter: "mmio-cached" | "every-page"): void {
    const mmu = this.#mmu;
    const { pool, counters } = mmu;
    mmu.lock.assertHeld("walk all shadow pages");
    mmu.execution.touched |= READS_TABLES;
    if (mmu.tdp !== undefined) return zapPagesOfTdp(mmu, mmu.tdp, filter);
    const everyPage = filter === "every-page";
    let visited = 0;
    let page = pool.newest;
    while (page !== NO_PAGE) {
      visited++;
      const next = pool.olderThan(page);
      // A root in use stays on the list when it is zapped; that no restart zaps it again is a modelling choice.
      const zaps = (everyPage || pool.mmioCached(page)) && !isInvalid(pool.role[page]);
      // As the kernel: after each page that went, from the head of the list again.
      page = zaps && prepareZap(mmu, page) > 0 ? pool.newest : next;
    }
    counters.counts[Work.pagesVisited] += visited;
    commitZap(mmu);
  }

  *walkMmioPages(): Protocol<void> {
    const mmu = this.#mmu;
    const { pool, counters } = mmu;
    const { execution } = mmu;
    const observed = execution.observed(execution.actor);
    yield mmu.lock.acquire;
    execution.beginAnew(observed);
    execution.touched |= READS_TABLES;
    let page = pool.newest;
    while (page !== NO_PAGE) {
      counters.counts[Work.pagesVisited]++;
      // A root of the TDP MMU holds no MMIO spte, and all else has one parent, by which it is zapped.
      if (!pool.mmioCached(page) || isInvalid(pool.role[page]) || (mmu.tdp !== undefined && pool.parent[page] < 0)) {
        page = pool.olderThan(page);
        continue;
      }
      if (mmu.tdp === undefined) prepareZap(mmu, page);
      else zapPageOfTdp(mmu, mmu.tdp, page);
      // cond_resched_lock; that somebody always waits for the lock is a modelling choice, as in zapAllPages().
      yield mmu.lock.leave;
      yield mmu.lock.acquire;
      execution.beginAnew(observed);
      execution.touched |= READS_TABLES;
      page = pool.newest;
    }
    commitZap(mmu);
    yield mmu.lock.release;
  }

  sweepMmioSptes(maxPages: number, isStale: (stored: number, asId: number) => boolean): boolean {
    const mmu = this.#mmu;
    const { pool, counters } = mmu;
    mmu.lock.assertHeld("sweep MMIO sptes");
    mmu.execution.touched |= WRITES_TABLES;
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

/** Zaps a page by its parent (`kvm_tdp_mmu_zap_sp`). */
function zapPageOfTdp(mmu: Mmu, tdp: TdpMmu, page: PageId): void {
  const parent = mmu.pool.parent[page];
  setTdpSpte(mmu, Math.floor(parent / 512), parent % 512, 0, mmu.pool.emptyHi);
  mmu.flushRemoteTlbs();
  freeRemoved(mmu, tdp);
}

function zapPagesOfTdp(mmu: Mmu, tdp: TdpMmu, filter: "mmio-cached" | "every-page"): void {
  const { pool, counters } = mmu;
  for (let page = pool.newest; page !== NO_PAGE;) {
    counters.counts[Work.pagesVisited]++;
    const next = pool.olderThan(page);
    const zaps = pool.parent[page] >= 0 && (filter === "every-page" || pool.mmioCached(page));
    if (zaps) zapPageOfTdp(mmu, tdp, page);
    page = zaps ? pool.newest : next;
  }
}

function sweepPage(mmu: Mmu, page: number, isStale: (stored: number, asId: number) => boolean): void {
  const { pool, layout, counters } = mmu;
  const lanes = pool.lanes(page);
  const offset = pool.laneOffset(page);
  const end = offset + 1024;
  const asId = asIdOf(pool.role[page]);
  let at = offset;
  // It may stop at the last MMIO spte: the count says how many there are.
  for (let left = pool.mmioCount[page]; left > 0; left--) {
    const found = layout.nextMmio(lanes, at, end);
    at = found + 2;
    if (!isStale(layout.generationOf(lanes[found], lanes[found + 1]), asId)) continue;
    counters.counts[Work.mmioSptesZapped]++;
    mmu.clearSpte(page, (found - offset) >> 1);
  }
  counters.counts[Work.sptesVisited] += (at - offset) >> 1;
}
