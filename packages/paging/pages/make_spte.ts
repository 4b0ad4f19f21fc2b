import { type Gfn, markPageDirty, type Memslot } from "@mmu-lab/memslots";
import { ACC_EXEC, ACC_USER, ACC_WRITE, addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { Mmu } from "../mmu.ts";
import type { PageId } from "./page_pool.ts";
import { asIdOf, levelOf } from "./role.ts";
import { isLast, SPTE_LARGE, SPTE_PRESENT, SPTE_WRITABLE } from "./spte_bits.ts";
import { needWriteProtect } from "../shadow/unsync.ts";

/** An entry that is about to be written, as two lanes. Reused: making one allocates nothing. */
export interface NewSpte {
  /** Low lane. */
  lo: number;
  /** High lane. */
  hi: number;
}

/** What an entry is to map, and who asks for it. Reused. */
export interface SpteRequest {
  /** First gfn. */
  gfn: Gfn;
  /** First host frame. */
  pfn: number;
  /** The slot, if its dirty log is to be told. */
  slot: Memslot | undefined;
  /** What the mapping allows: exec 1, write 2, user 4. */
  access: number;
  /** Whether host memory may be written. */
  hostWritable: boolean;
  /** Whether nobody has asked for it yet (prefetch, sync): then the accessed bit stays clear. */
  speculative: boolean;
  /** Whether shadow pages may be marked as out of date; a sync must not (`can_unsync`). */
  canUnsync: boolean;
}

/**
 * Makes an entry that maps memory, marks the page dirty if the slot logs, and sees to the guest tables that it would let the
 * guest write: they are marked as out of date, or it is not made writable (`set_spte`, 3.11 mmu.c; `make_spte`, 6.1 spte.c;
 * facts sheet 6.6). Under `mmu_lock`.
 *
 * @param page The page of the entry. @param oldLo Low lane of what is there now, whatever it is.
 * @returns Whether it is not writable for the sake of a guest table.
 */
export function makeSpte(mmu: Mmu, page: PageId, request: SpteRequest, oldLo: number, into: NewSpte): boolean {
  const { bits } = mmu;
  const level = levelOf(mmu.pool.role[page]);
  const { software } = bits;
  const { slot, gfn, pfn, access } = request;
  let lo = SPTE_PRESENT | software.presentLo | bits.memoryType | addressLo(pfn);
  let hi = addressHi(pfn) | (bits.presentHi ?? 0);
  if ((access & ACC_EXEC) !== 0) lo |= bits.executable;
  else hi |= bits.noExecuteHi;
  if ((access & ACC_USER) !== 0) lo |= bits.user;
  if (!request.speculative) lo |= bits.accessed;
  if (level > 1) lo |= SPTE_LARGE;
  let writable = request.hostWritable && (access & ACC_WRITE) !== 0;
  let protectedFromWrites = false;
  let marksDirty = writable;
  if (request.hostWritable) {
    lo |= software.hostWritableLo;
    hi |= software.hostWritableHi;
  }
  if (writable) {
    const { trustsWritable } = mmu.faultRules;
    const wasWritable = isLast(oldLo, level) && (oldLo & SPTE_WRITABLE) !== 0;
    const trusts = wasWritable && (trustsWritable === "always" || !request.canUnsync);
    if (trusts) marksDirty = trustsWritable === "always";
    else if (
      mmu.shadow.indirectPages > 0 &&
      needWriteProtect(mmu, asIdOf(mmu.pool.role[page]), gfn, request.canUnsync, request.speculative)
    ) {
      protectedFromWrites = true;
      writable = false;
      marksDirty = false;
    }
    if (writable) {
      lo |= SPTE_WRITABLE | software.mmuWritableLo;
      hi |= software.mmuWritableHi;
      if (!trusts) lo |= bits.dirtyIfWritable;
    }
  }
  if (marksDirty && slot !== undefined) markPageDirty(slot, gfn);
  into.lo = lo;
  into.hi = hi;
  return protectedFromWrites;
}

/** The low lane of an entry that links a table (`link_shadow_page`, 3.11; `make_nonleaf_spte`, 6.1). */
export function tableLo(mmu: Mmu, table: PageId): number {
  return addressLo(table) | mmu.bits.table | mmu.bits.software.presentLo;
}

/** The high lane of an entry that links a table. */
export function tableHi(mmu: Mmu, table: PageId): number {
  return addressHi(table) | (mmu.bits.presentHi ?? 0);
}
