import { pagesPerEntry } from "@mmu-lab/memslots";
import { formatLanes } from "@mmu-lab/spte-encoding";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE, type PageId, type SpteId } from "./pages/page_pool.ts";
import { isDirect, isInvalid, levelOf } from "./pages/role.ts";
import { auditShadow } from "./shadow/audit_shadow.ts";
import { PAE_ROOTS } from "./shadow/shadow_roots.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";
import { isRemoved } from "./tdp-mmu/removed_spte.ts";
import { isLast } from "./pages/spte_bits.ts";

/**
 * Audits the books of an MMU: whether what it keeps count of agrees with what its tables hold. It checks the list of
 * active pages both ways, the hash, the pages that wait to be freed, page and root counts, MMIO counts, parents against
 * table entries in both directions, what is kept to shadow guest tables, and that no page is lost or used after it was freed.
 *
 * It may be called at any moment at which no actor is in the middle of an atomic act, so between the steps of protocols
 * too. It changes nothing and counts no work.
 *
 * Cost: O(512 * pages).
 *
 * @param mmu The MMU.
 * @returns What is wrong, a sentence each; empty if the books balance.
 *
 * @example
 * ```ts
 * import { auditBooks } from "@mmu-lab/paging";
 * import { PROFILES, Vm } from "@mmu-lab/machine";
 * import { assertEquals } from "@std/assert";
 *
 * const vm = new Vm(PROFILES.linux_3_11_ept);
 * vm.createVcpu();
 * vm.access(0, "read", 0xd0000000, 4);
 * assertEquals(auditBooks(vm.mmu), []);
 * vm.mmu.pool.mmioCount[0]++;
 * assertEquals(auditBooks(vm.mmu).length > 0, true);
 * ```
 */
export function auditBooks(mmu: Mmu): string[] {
  const findings: string[] = [];
  const listed = auditList(mmu, findings);
  auditPages(mmu, listed, findings);
  auditRoots(mmu, findings);
  auditEntries(mmu, findings);
  return [...findings, ...auditShadow(mmu)];
}

/** The list of active pages, walked both ways; returns who is on it. */
function auditList(mmu: Mmu, findings: string[]): Set<PageId> {
  const { pool } = mmu;
  const listed = new Set<PageId>();
  let newer = NO_PAGE;
  for (let page = pool.newest; page !== NO_PAGE; page = pool.olderThan(page)) {
    if (listed.has(page)) {
      findings.push(`The list of active pages is a ring at page ${page}`);
      return listed;
    }
    listed.add(page);
    if (!pool.isLive(page)) findings.push(`Page ${page} is on the list of active pages and free`);
    if (pool.newerThan(page) !== newer) {
      findings.push(`Page ${page} on the list has ${pool.newerThan(page)} before it instead of ${newer}`);
    }
    newer = page;
  }
  if (pool.oldest !== newer) findings.push(`The oldest page is ${pool.oldest}, but the list ends at ${newer}`);
  let used = listed.size;
  for (let page = 0; page < pool.length; page++) if (isUnlistedRoot(mmu, page) && !listed.has(page)) used++;
  if (pool.used !== used) findings.push(`${pool.used} pages are counted as used, and ${used} are`);
  return listed;
}

/** Whether a page has been zapped and lives on, off the list, until the last vCPU drops it (6.1). */
function isUnlistedRoot(mmu: Mmu, page: PageId): boolean {
  const { pool, pageRules } = mmu;
  const isDeadRoot = pool.isLive(page) && pool.rootCount[page] > 0 && isInvalid(pool.role[page]);
  // The TDP MMU keeps its own list.
  return isDeadRoot && pageRules.zappedRoot === "unlisted" && mmu.tdp === undefined;
}

/** Every page is either listed, or waits to be freed, or is free; the hash finds those that are not free. */
function auditPages(mmu: Mmu, listed: ReadonlySet<PageId>, findings: string[]): void {
  const { pool } = mmu;
  const waiting = new Set(mmu.zapped);
  if (waiting.size !== mmu.zapped.length) findings.push("A page waits twice to be freed");
  for (const page of waiting) {
    if (!pool.isLive(page)) findings.push(`Page ${page} waits to be freed and is free`);
    if (listed.has(page)) findings.push(`Page ${page} waits to be freed and is on the list of active pages`);
    // The TDP MMU marks roots only.
    if (mmu.tdp === undefined && !isInvalid(pool.role[page])) {
      findings.push(`Page ${page} waits to be freed and is not marked invalid`);
    }
    if (pool.rootCount[page] > 0) findings.push(`Page ${page} waits to be freed and is a root`);
  }
  for (let page = 0; page < pool.length; page++) {
    const inHash = isInBucket(mmu, page);
    if (!pool.isLive(page)) {
      if (inHash) findings.push(`Page ${page} is free, and the hash finds it`);
      continue;
    }
    if (!inHash) findings.push(`Page ${page} (${describePage(mmu, page)}) is not found by the hash`);
    if (listed.has(page) && isUnlistedRoot(mmu, page)) findings.push(`Page ${page} is a zapped root and still listed`);
    if (!listed.has(page) && !waiting.has(page) && !isUnlistedRoot(mmu, page)) {
      findings.push(`Page ${page} (${describePage(mmu, page)}) is lost: neither listed nor waiting to be freed`);
    }
  }
}

function isInBucket(mmu: Mmu, page: PageId): boolean {
  const { pool } = mmu;
  for (let other = pool.firstInBucket(pool.gfn[page]); other !== NO_PAGE; other = pool.nextInBucket(other)) {
    if (other === page) return true;
  }
  return false;
}

function auditRoots(mmu: Mmu, findings: string[]): void {
  const { pool } = mmu;
  const users = new Map<PageId, number>();
  for (const { page } of mmu.tdp?.roots ?? []) {
    if (!pool.isLive(page)) findings.push(`Page ${page} is a root of the TDP MMU and free`);
  }
  for (const vcpu of mmu.vcpus) {
    const { index } = vcpu;
    const isPae = vcpu.root === PAE_ROOTS;
    const kept = vcpu.nested === undefined ? [] : [vcpu.nested.rootOfL1, ...vcpu.nested.kept.map(({ root }) => root)];
    for (const { page } of vcpu.shadow?.previousRoots ?? []) {
      if (page === NO_PAGE) continue;
      users.set(page, (users.get(page) ?? 0) + 1);
      if (!pool.isLive(page)) findings.push(`vCPU ${index} keeps page ${page} as root, which is free`);
    }
    for (const root of isPae ? vcpu.shadow!.paeRoots : [vcpu.root, ...kept]) {
      if (root === NO_PAGE) continue;
      users.set(root, (users.get(root) ?? 0) + 1);
      if (!pool.isLive(root)) findings.push(`vCPU ${index} has page ${root} as root, which is free`);
      else if (levelOf(pool.role[root]) !== (isPae ? 2 : levelsOf(mmu, vcpu, root))) {
        findings.push(`vCPU ${index} has page ${root} as root, of level ${levelOf(pool.role[root])}`);
      }
    }
  }
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    const expected = users.get(page) ?? 0;
    if (pool.rootCount[page] !== expected) {
      findings.push(`Page ${page} counts ${pool.rootCount[page]} users as root, and has ${expected}`);
    }
  }
}

/** Levels of the tables below a root of a vCPU: in L2 it may keep that of L1, and the other way round. */
function levelsOf(mmu: Mmu, vcpu: VcpuMmu, root: PageId): number {
  return root === vcpu.root && vcpu.shadow !== undefined ? vcpu.shadow.shadowLevels : mmu.rootLevel;
}

/** All entries: MMIO counts, links and their parents, counts of mappings, and nothing that is neither. */
function auditEntries(mmu: Mmu, findings: string[]): void {
  const { pool, stats } = mmu;
  /** Mappings by level. */
  const mappings = [0, 0, 0, 0];
  /** Entries that link each page. */
  const links = new Map<PageId, SpteId[]>();
  let pagesWithMmio = 0;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    const mmio = auditPage(mmu, page, links, mappings, findings);
    if (mmio > 0) pagesWithMmio++;
    if (pool.mmioCount[page] !== mmio) {
      findings.push(`Page ${page} counts ${pool.mmioCount[page]} MMIO sptes, and holds ${mmio}`);
    }
    if (mmio > 0 && !pool.mmioCached(page)) findings.push(`Page ${page} holds MMIO sptes and is not marked so`);
  }
  if (mmu.pagesWithMmio !== pagesWithMmio) {
    findings.push(`${mmu.pagesWithMmio} pages are counted to hold MMIO sptes, and ${pagesWithMmio} do`);
  }
  const counted = [0, stats.pages_4k, stats.pages_2m, stats.pages_1g];
  for (const level of [1, 2, 3]) {
    if (mappings[level] === counted[level]) continue;
    findings.push(`${counted[level]} mappings of level ${level} are counted, and ${mappings[level]} are there`);
  }
  auditParents(mmu, links, findings);
}

/** One page's entries; returns how many MMIO sptes it holds. */
function auditPage(
  mmu: Mmu,
  page: PageId,
  links: Map<PageId, SpteId[]>,
  mappings: number[],
  findings: string[],
): number {
  const { pool, layout } = mmu;
  const level = levelOf(pool.role[page]);
  const direct = isDirect(pool.role[page]);
  const lanes = pool.lanes(page);
  const offset = pool.laneOffset(page);
  let mmio = 0;
  for (let index = 0; index < 512; index++) {
    const lo = lanes[offset + 2 * index];
    const hi = lanes[offset + 2 * index + 1];
    if (pool.isEmpty(lo, hi)) continue;
    const gfn = pool.gfn[page] + index * pagesPerEntry(level);
    if (layout.isMmio(lo, hi)) {
      mmio++;
      if (level !== 1) findings.push(`Page ${page}, entry ${index}: an MMIO spte at level ${level}`);
      if (direct && layout.gfnOf(lo, hi) !== gfn) {
        findings.push(`Page ${page}, entry ${index}: an MMIO spte for gfn ${hex(layout.gfnOf(lo, hi))} at ${hex(gfn)}`);
      }
    } else if (mmu.tdp !== undefined && isRemoved(mmu, lo, hi)) {
      // Somebody is about to clear it, or the page is on its way out.
    } else if (!mmu.isPresent(lo, hi)) {
      findings.push(`Page ${page}, entry ${index}: ${formatLanes(lo, hi)} is neither present nor an MMIO spte`);
    } else if (isLast(lo, level)) mappings[level]++;
    else {
      const child = mmu.childOf(lo, hi);
      if (!pool.isLive(child)) findings.push(`Page ${page}, entry ${index} links page ${child}, which is free`);
      else if (levelOf(pool.role[child]) !== level - 1 || (direct && pool.gfn[child] !== gfn)) {
        findings.push(`Page ${page}, entry ${index} links page ${child} (${describePage(mmu, child)}) at ${hex(gfn)}`);
      }
      const known = links.get(child);
      if (known === undefined) links.set(child, [page * 512 + index]);
      else known.push(page * 512 + index);
    }
  }
  return mmio;
}

/** Parents as the children know them, against the links that were found. */
function auditParents(mmu: Mmu, links: ReadonlyMap<PageId, SpteId[]>, findings: string[]): void {
  const { pool } = mmu;
  for (const [page, parents] of pool.moreParents) {
    if (!pool.isLive(page)) findings.push(`Page ${page} is free and has further parents`);
    if (parents.length === 0) findings.push(`Page ${page} has an empty list of further parents`);
    if (pool.parent[page] === -1) findings.push(`Page ${page} has further parents and no first one`);
  }
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page)) continue;
    const first = pool.parent[page];
    const believed = first === -1 ? [] : [first, ...(pool.moreParents.get(page) ?? [])];
    const found = links.get(page) ?? [];
    for (const parent of believed) {
      if (!found.includes(parent)) findings.push(`Page ${page} believes in parent ${describeSpte(parent)}, no link`);
    }
    for (const parent of found) {
      if (!believed.includes(parent)) findings.push(`Page ${page} does not know of its parent ${describeSpte(parent)}`);
    }
    if (new Set(believed).size !== believed.length) findings.push(`Page ${page} knows a parent twice`);
  }
}

function describePage(mmu: Mmu, page: PageId): string {
  return `gfn ${hex(mmu.pool.gfn[page])} level ${levelOf(mmu.pool.role[page])}`;
}

function describeSpte(spte: SpteId): string {
  return `${Math.floor(spte / 512)}:${spte % 512}`;
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}
