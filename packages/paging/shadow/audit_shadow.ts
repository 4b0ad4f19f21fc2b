import { pagesPerEntry } from "@mmu-lab/memslots";
import type { Mmu } from "../mmu.ts";
import { type PageId, pageOf, type SpteId } from "../pages/page_pool.ts";
import { asIdOf, isDirect, isInvalid, levelOf } from "../pages/role.ts";
import { isLast, SPTE_WRITABLE } from "../pages/spte_bits.ts";
import { rmapKey, tableKey } from "./shadow_books.ts";

/**
 * Audits what an MMU keeps to shadow guest tables: the reverse map against the entries, both ways; which tables are
 * shadowed; which pages may be out of date, and whether the pages above know; and that no entry lets the guest write a
 * table whose shadow counts as up to date. A part of `auditBooks`. O(512 * pages).
 *
 * @returns What is wrong, a sentence each.
 */
export function auditShadow(mmu: Mmu): string[] {
  const findings: string[] = [];
  const writable = auditReverseMap(mmu, findings);
  auditTables(mmu, writable, findings);
  auditUnsync(mmu, findings);
  return findings;
}

/** Returns the frames that some entry, of whatever page, lets the guest write, by `tableKey`. */
function auditReverseMap(mmu: Mmu, findings: string[]): Map<number, SpteId> {
  const { pool, shadow } = mmu;
  const writable = new Map<number, SpteId>();
  let mapped = 0;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    const level = levelOf(pool.role[page]);
    const direct = isDirect(pool.role[page]);
    for (let index = 0; index < 512; index++) {
      const lo = pool.lo(page, index);
      const hi = pool.hi(page, index);
      if (!mmu.isPresent(lo, hi) || !isLast(lo, level)) continue;
      const gfn = direct ? pool.gfn[page] + index * pagesPerEntry(level) : shadow.gfnOf(page, index);
      if ((lo & SPTE_WRITABLE) !== 0) writable.set(tableKey(gfn, level, asIdOf(pool.role[page])), page * 512 + index);
      if (direct) continue;
      mapped++;
      if (!shadow.rmap.get(rmapKey(gfn, level))?.includes(page * 512 + index)) {
        findings.push(
          `Page ${page}, entry ${index} maps gfn 0x${gfn.toString(16)}, which the reverse map does not know`,
        );
      }
    }
  }
  let known = 0;
  for (const [key, sptes] of shadow.rmap) {
    known += sptes.length;
    if (sptes.length === 0) findings.push(`The reverse map keeps an empty list for key ${key}`);
    if (new Set(sptes).size !== sptes.length) findings.push(`The reverse map has an entry twice for key ${key}`);
  }
  if (known !== mapped) findings.push(`The reverse map has ${known} entries, and ${mapped} map memory`);
  return writable;
}

/** Which tables are shadowed, and that the guest cannot write them unnoticed. */
function auditTables(mmu: Mmu, writable: ReadonlyMap<number, SpteId>, findings: string[]): void {
  const { pool, shadow } = mmu;
  const shadowed = new Map<number, number>();
  const tracked = new Map<number, number>();
  let indirect = 0;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page) || isDirect(pool.role[page]) || isInvalid(pool.role[page])) continue;
    const gfn = pool.gfn[page];
    indirect++;
    const asId = asIdOf(pool.role[page]);
    for (const level of [2, 3]) count(shadowed, tableKey(gfn, level, asId));
    if (levelOf(pool.role[page]) > 1) count(tracked, tableKey(gfn, 1, asId));
    if (pool.isUnsync(page)) continue;
    for (const level of [1, 2, 3]) {
      const spte = writable.get(tableKey(gfn, level, asId));
      if (spte === undefined) continue;
      findings.push(
        `Page ${page} shadows the table at gfn 0x${gfn.toString(16)}, which page ${pageOf(spte)}, entry ` +
          `${spte % 512}, lets the guest write`,
      );
    }
  }
  if (shadow.indirectPages !== indirect) {
    findings.push(`${shadow.indirectPages} pages are counted to shadow tables, and ${indirect} do`);
  }
  compare(shadow.shadowed, shadowed, "shadowed tables", findings);
  compare(shadow.tracked, tracked, "tables above level 1", findings);
}

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function compare(
  kept: ReadonlyMap<number, number>,
  found: ReadonlyMap<number, number>,
  what: string,
  findings: string[],
): void {
  for (const key of new Set([...found.keys(), ...kept.keys()])) {
    if (found.get(key) === kept.get(key)) continue;
    findings.push(`Key ${key} counts ${kept.get(key)} ${what}, and has ${found.get(key)}`);
  }
}

/** Which pages may be out of date, and that all pages above them know. */
function auditUnsync(mmu: Mmu, findings: string[]): void {
  const { pool, shadow } = mmu;
  let unsync = 0;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    if (pool.isUnsync(page)) {
      unsync++;
      if (isDirect(pool.role[page]) || levelOf(pool.role[page]) !== 1) {
        findings.push(`Page ${page} is marked as out of date, and is not a table of level 1`);
      }
    } else if (!shadow.unsyncChildren.has(page)) continue;
    for (const parent of parentsOf(mmu, page)) {
      if (shadow.unsyncChildren.get(pageOf(parent))?.has(parent % 512)) continue;
      findings.push(`Page ${pageOf(parent)} does not know that page ${page} below it may be out of date`);
    }
  }
  if (mmu.stats.mmu_unsync !== unsync) {
    findings.push(`${mmu.stats.mmu_unsync} pages are counted as out of date, and ${unsync} are`);
  }
  for (const page of [...shadow.unsyncChildren.keys(), ...shadow.floods.keys()]) {
    if (!pool.isLive(page)) findings.push(`Page ${page} is free, and something is kept of its children or writes`);
  }
}

function parentsOf(mmu: Mmu, page: PageId): SpteId[] {
  const { pool } = mmu;
  return pool.parent[page] === -1 ? [] : [pool.parent[page], ...(pool.moreParents.get(page) ?? [])];
}
