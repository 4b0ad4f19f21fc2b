import type { Gfn } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { addressHi, addressLo, pfnOfLanes } from "@mmu-lab/spte-encoding";
import type { Mmu } from "../mmu.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { hasFourByteGptes, levelOf, quadrantOf, type Role, sameFormat, sameMode } from "../pages/role.ts";
import { SPTE_PRESENT, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { WRITES_TABLES } from "../touches.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { commitZap, prepareZap, zapPresent } from "../pages/zap.ts";
import { prefetchGpte } from "./prefetch_gptes.ts";
import { Gpte, readGpte } from "./gpte.ts";
import type { ShadowContext } from "./shadow_context.ts";
import { isValidIndirect } from "./unsync.ts";

/** Writes to a table above level 1, without use between them, that show it is no table any more. */
const FLOOD = 3;

const gpte = new Gpte();

/**
 * Takes note of a write to guest memory by the emulator, which is how KVM sees a guest change a write-protected table
 * (`kvm_mmu_pte_write`, 3.11; facts sheet 6.6). Entries that the write touches are dropped, one of level 1 is set anew at
 * once, by old kernels; a page that is written askew, or too often, is zapped. Takes `mmu_lock`.
 *
 * @param gpa Where the first byte was written; it has been written already. @param bytes How many, within one page.
 */
export function* pteWrite(mmu: Mmu, vcpu: VcpuMmu, gpa: number, bytes: number): Protocol<void> {
  if (mmu.shadow.indirectPages === 0) return;
  yield mmu.lock.acquire;
  mmu.execution.touched |= WRITES_TABLES;
  writeTracked(mmu, vcpu, gpa, bytes);
  yield mmu.lock.leave;
}

function writeTracked(mmu: Mmu, vcpu: VcpuMmu, gpa: number, bytes: number): void {
  const { pool, shadowRules } = mmu;
  const { shadow: context } = vcpu;
  const gfn = Math.floor(gpa / 4096);
  let offset = gpa % 4096;
  let length = bytes;
  // Two halves of an entry of 8 bytes, written one by one, count as one entry each time (mmu_pte_write_fetch_gpte).
  // L1, which writes its EPT, has CR4.PAE set.
  if ((context === undefined || context.paging.format.entryBytes === 8) && length === 4) {
    offset &= ~7;
    length = 8;
  }
  const written = context !== undefined && (length === 4 || length === 8) &&
    isNonZero(context, gfn, offset, length);
  mmu.stats.mmu_pte_write++;
  let shadowed = 0;
  let zapped = false;
  let remote = false;
  let local = false;
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) {
    if (!isValidIndirect(mmu, page, gfn)) continue;
    shadowed = 1;
    if (isMisaligned(mmu, page, offset, length) || isFlooded(mmu, page)) {
      if (prepareZap(mmu, page) > 0) zapped = true;
      mmu.stats.mmu_flooded++;
      continue;
    }
    const first = firstEntry(mmu, page, offset);
    if (first < 0) continue;
    local = shadowRules.setsAnew !== "never";
    const entries = hasFourByteGptes(pool.role[page]) && levelOf(pool.role[page]) === 2 ? 2 : 1;
    for (let index = first; index < first + entries; index++) {
      const lo = pool.lo(page, index);
      const hi = pool.hi(page, index);
      zapSpte(mmu, page, index);
      // Where nothing is shadowed for the writer, there is nobody who could read the entry (nonpaging_update_pte).
      if (written) noteWritten(mmu, vcpu, context.base, page, index);
      if (needsRemoteFlush(mmu, page, index, lo, hi)) remote = true;
    }
  }
  mmu.counters.counts[Work.gptesWritten] += shadowed;
  // Pages that were zapped are flushed with, by commitZap.
  if (!zapped && remote) mmu.flushRemoteTlbs();
  else if (!zapped && local) mmu.flushLocalTlb(vcpu);
  commitZap(mmu);
}

/** Whether what lies at an offset of a table is not all zero, now that it has been written. */
function isNonZero({ walk: { tables } }: ShadowContext, gfn: Gfn, offset: number, bytes: number): boolean {
  const table = tables.find(addressLo(gfn), addressHi(gfn));
  // An entry that is written askew is none: its page goes.
  if (table < 0 || offset % 4 !== 0 || offset + bytes > 4096) return false;
  const at = table + offset / 4;
  return (tables.lanes[at] | (bytes === 8 ? tables.lanes[at + 1] : 0)) !== 0;
}

/** Sets an entry of level 1 to what the guest has written, if this kernel does (`mmu_pte_write_new_pte`); counts others. */
function noteWritten(mmu: Mmu, vcpu: VcpuMmu, base: Role, page: PageId, index: number): void {
  const { setsAnew } = mmu.shadowRules;
  const role = mmu.pool.role[page];
  if (setsAnew !== "never" && !(setsAnew === "same-mode" ? sameMode : sameFormat)(role, base)) return;
  if (levelOf(role) > 1) mmu.stats.mmu_pde_zapped++;
  else if (setsAnew !== "never" && readGpte(mmu, vcpu, page, index, gpte)) {
    mmu.stats.mmu_pte_updated++;
    prefetchGpte(mmu, vcpu, page, index, gpte, false);
  }
}

/** Whether a write does not look like one of an entry (`detect_write_misaligned`). */
function isMisaligned(mmu: Mmu, page: PageId, offset: number, bytes: number): boolean {
  const size = hasFourByteGptes(mmu.pool.role[page]) ? 4 : 8;
  if (bytes === 1 && (offset & (size - 1)) === 0) return false;
  return bytes < 4 || ((offset ^ (offset + bytes - 1)) & ~(size - 1)) !== 0;
}

/** Whether a table above level 1 is written so often that it is none any more (`detect_write_flooding`). */
function isFlooded(mmu: Mmu, page: PageId): boolean {
  if (levelOf(mmu.pool.role[page]) === 1) return false;
  const { floods } = mmu.shadow;
  const count = (floods.get(page) ?? 0) + 1;
  floods.set(page, count);
  return count >= FLOOD;
}

/** The first entry of a page that shadows the one at an offset of the table, or -1 (`get_written_sptes`). */
function firstEntry(mmu: Mmu, page: PageId, offset: number): number {
  const role = mmu.pool.role[page];
  if (!hasFourByteGptes(role)) return offset >> 3;
  // A guest entry of 4 MiB is two of 2 MiB.
  const at = levelOf(role) === 2 ? ((offset << 1) & ~7) << 1 : offset << 1;
  return at >> 12 === quadrantOf(role) ? (at & 4095) >> 3 : -1;
}

/** Clears an entry, whatever it is (`mmu_page_zap_pte`); whether it mapped or linked anything. Under `mmu_lock`. */
export function zapSpte(mmu: Mmu, page: PageId, index: number): boolean {
  const { pool } = mmu;
  const lo = pool.lo(page, index);
  const hi = pool.hi(page, index);
  if (pool.isEmpty(lo, hi)) return false;
  mmu.counters.counts[Work.sptesWritten]++;
  if (!mmu.isPresent(lo, hi)) {
    mmu.clearSpte(page, index);
    return false;
  }
  zapPresent(mmu, page, index);
  return true;
}

/** Whether other vCPUs may hold a translation that the entry does not allow any more (`need_remote_flush`). */
function needsRemoteFlush(mmu: Mmu, page: PageId, index: number, oldLo: number, oldHi: number): boolean {
  if (!mmu.isPresent(oldLo, oldHi)) return false;
  const lo = mmu.pool.lo(page, index);
  const hi = mmu.pool.hi(page, index);
  if (!mmu.isPresent(lo, hi) || pfnOfLanes(lo, hi) !== pfnOfLanes(oldLo, oldHi)) return true;
  const { bits } = mmu;
  const rights = SPTE_PRESENT | SPTE_WRITABLE | bits.user | bits.executable;
  return (oldLo & ~lo & rights) !== 0 || (~oldHi & hi & bits.noExecuteHi) !== 0;
}
