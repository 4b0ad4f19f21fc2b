/**
 * The reverse map of indirect pages, and taking write access from all that maps a frame (3.11 mmu.c; facts sheet 6.6).
 *
 * @module
 */
import { type Gfn, pagesPerEntry } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { eachMapping } from "../pages/each_mapping.ts";
import type { Mmu } from "../mmu.ts";
import { type PageId, pageOf } from "../pages/page_pool.ts";
import { levelOf } from "../pages/role.ts";
import { isMmuWritable, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { dropSpte, zapPresent } from "../pages/zap.ts";
import { rmapKey } from "./shadow_books.ts";

/** Mappings of one frame beyond which all of them go (`RMAP_RECYCLE_THRESHOLD`). */
const RECYCLE_THRESHOLD = 1000;

/** Notes that an entry of an indirect page now maps a frame (`rmap_add` and `rmap_recycle`). Under `mmu_lock`. */
export function rmapAdd(mmu: Mmu, page: PageId, index: number, gfn: Gfn, level: number, access: number): void {
  const { shadow } = mmu;
  const key = rmapKey(gfn, level);
  const sptes = shadow.rmap.get(key);
  shadow.setTranslation(page, index, gfn, access);
  const spte = page * 512 + index;
  if (sptes === undefined) shadow.rmap.set(key, [spte]);
  else if (sptes.push(spte) > RECYCLE_THRESHOLD) {
    for (const mapped of [...sptes]) dropSpte(mmu, pageOf(mapped), mapped % 512);
    mmu.flushRemoteTlbs();
  }
}

/** Notes that an entry maps its frame no more (`rmap_remove`). O(mappings of the frame). */
export function rmapRemove(mmu: Mmu, page: PageId, index: number): void {
  const { shadow, pool } = mmu;
  const key = rmapKey(shadow.gfnOf(page, index), levelOf(pool.role[page]));
  const sptes = shadow.rmap.get(key)!;
  const last = sptes.pop()!;
  const spte = page * 512 + index;
  if (last !== spte) sptes[sptes.indexOf(spte)] = last;
  if (sptes.length === 0) shadow.rmap.delete(key);
}

/**
 * Takes write access from all mappings of a frame, for its guest table is to be shadowed (`rmap_write_protect`, 3.11;
 * `kvm_mmu_slot_gfn_write_protect`, 6.1): nobody may give it back without the lock. Large ones may go. Under `mmu_lock`.
 *
 * @returns Whether TLBs must be flushed.
 */
export function rmapWriteProtect(mmu: Mmu, asId: number, gfn: Gfn): boolean {
  let flush = false;
  for (let level = 1; level <= 3; level++) {
    if (eachMapping(mmu, asId, gfn - (gfn % pagesPerEntry(level)), level, protectGuestTable)) flush = true;
  }
  return flush;
}

/** Takes write access from a mapping, so that the next write is seen; a large one may go (`spte_write_protect`). */
export function protectLogged(mmu: Mmu, page: PageId, index: number): boolean {
  return writeProtectSpte(mmu, page, index, false);
}

/** Takes write access from a mapping of a guest table, so that nobody gives it back without the lock. */
function protectGuestTable(mmu: Mmu, page: PageId, index: number): boolean {
  return writeProtectSpte(mmu, page, index, true);
}

function writeProtectSpte(mmu: Mmu, page: PageId, index: number, forGuestTable: boolean): boolean {
  const { pool, counters, bits } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  const mayBecomeWritable = forGuestTable && isMmuWritable(bits, lo, hi);
  if ((lo & SPTE_WRITABLE) === 0 && !mayBecomeWritable) return false;
  if (levelOf(pool.role[page]) > 1 && mmu.pageRules.loggedLargePage === "dropped") {
    zapPresent(mmu, page, index);
    return true;
  }
  counters.counts[Work.sptesWritten]++;
  const { mmuWritableLo, mmuWritableHi } = bits.software;
  const takenLo = SPTE_WRITABLE | (forGuestTable ? mmuWritableLo : 0);
  mmu.setSpte(page, index, lo & ~takenLo, hi & ~(forGuestTable ? mmuWritableHi : 0));
  return (lo & SPTE_WRITABLE) !== 0;
}
