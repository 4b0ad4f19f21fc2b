import type { Mmu } from "../mmu.ts";
import { READS_TABLES, WRITES_TABLES } from "../touches.ts";
import type { PageId } from "../pages/page_pool.ts";

/** What kernels do differently in the TDP MMU; KVM policy throughout. A profile chooses. */
export interface TdpMmuRules {
  /** Whether switching dirty logging on splits large pages at once (module parameter `eager_page_split`, 5.17 on). */
  readonly eagerPageSplit: boolean;
  /** Whether a fault that needs a smaller page splits the large one (6.12), and does not zap it (6.1). */
  readonly splitsInFault?: boolean;
  /**
   * When the books are kept of an entry that is frozen, flushed and then cleared: after that (6.12), so what it linked is
   * taken apart last, or when it is frozen (6.1).
   */
  readonly booksAfterFlush?: boolean;
  /** The level whose entries go first when a root is zapped: 3 (6.1), or 1, so all mappings of 4 KiB (6.12). 3 unless told. */
  readonly firstZapLevel?: 1 | 3;
}

/** A root of the TDP MMU: the MMU itself holds on to it until it has been invalidated and zapped. */
export interface TdpRoot {
  /** Its page. */
  readonly page: PageId;
  /** It was invalidated, and is to be zapped (`tdp_mmu_scheduled_root_to_zap`). */
  scheduled: boolean;
  /** Whether the TDP MMU still holds on to it itself. */
  held: boolean;
}

/**
 * What the TDP MMU (5.10 on, tdp_mmu.c) keeps beside the pages: its roots, and who reads its tables under RCU. Its pages
 * are in the pool as all others; that they are on the pool's list and in its hash is a modelling choice, as is that they
 * count as used: in the kernel they are on a list of their own and count nowhere.
 */
export class TdpMmu {
  /** The roots, newest first (`tdp_mmu_roots`). */
  readonly roots: TdpRoot[] = [];
  /** How many read tables under RCU now: pages that were taken out are freed when the last of them is done. */
  readers = 0;

  /**
   * Makes a TDP MMU without roots.
   *
   * @param rules What this kernel does.
   */
  constructor(readonly rules: TdpMmuRules) {}
}

/** `rcu_read_lock()` around a walk that other CPUs can run in the middle of. */
export function rcuReadLock(mmu: Mmu, tdp: TdpMmu): void {
  mmu.execution.touched |= READS_TABLES;
  tdp.readers++;
}

/** `rcu_read_unlock()`; the last reader lets the pages go that were taken out meanwhile. */
export function rcuReadUnlock(mmu: Mmu, tdp: TdpMmu): void {
  tdp.readers--;
  freeRemoved(mmu, tdp);
}

/** Frees the pages that were taken out, unless somebody may still read them (`call_rcu`). */
export function freeRemoved(mmu: Mmu, tdp: TdpMmu): void {
  if (tdp.readers > 0 || mmu.zapped.length === 0) return;
  mmu.execution.touched |= WRITES_TABLES;
  for (const page of mmu.zapped) mmu.pool.free(page);
  mmu.zapped.length = 0;
}
