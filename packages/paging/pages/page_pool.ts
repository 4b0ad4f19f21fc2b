import type { Gfn } from "@mmu-lab/memslots";
import type { StateHasher } from "@mmu-lab/protocol";
import type { Role } from "./role.ts";

/** A shadow page: a small non-negative integer, reused after the page is freed. */
export type PageId = number;
/** An spte: `page * 512 + index`. */
export type SpteId = number;

/** No page. */
export const NO_PAGE: PageId = -1;

/** The page that an spte lies in. */
export function pageOf(spte: SpteId): PageId {
  return Math.floor(spte / 512);
}

const ENTRIES = 512;
/** Two lanes for each entry: a page begins at lane `page << PAGE_SHIFT`. */
const PAGE_SHIFT = 10;
/** Room of a new pool in pages: 32 KiB of entries, and columns that are cheap to make. */
const FIRST_CAPACITY = 8;

/** Bits of the `state` column. */
const LIVE = 1;
const MMIO_CACHED = 2;
const UNSYNC = 4;

/**
 * All shadow pages of a VM: their entries in a large growing buffer of 32-bit lanes, everything else in typed-array
 * columns, the list of active pages (newest first) and the hash by gfn.
 *
 * Memory per page: 4096 bytes of entries and 56 of columns. Both grow by doubling, and what is not yet in use the
 * operating system need not back; nothing is allocated per access.
 *
 * | operation | cost |
 * |---|---|
 * | read or write an entry | O(1) |
 * | allocate | O(1) amortized, plus clearing 512 entries |
 * | find by gfn | O(pages in the bucket), which is O(1) on average: the table grows with the pages (modelling choice; 3.11 has 1024 buckets) |
 */
export class ShadowPagePool {
  /** gfn of each page. */
  gfn: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** A number of each page that is never reused, so that a page can be told from a later one with the same id. */
  serial: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Role of each page, see `role.ts`. */
  role: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** `mmu_valid_gen` of each page when it was made. */
  validGen: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** How many vCPUs use the page as root. */
  rootCount: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** How many MMIO sptes each page holds. */
  mmioCount: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** The spte that links each page, or -1; further ones are in {@linkcode ShadowPagePool.moreParents}. */
  parent: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** Further sptes that link a page; rare. */
  readonly moreParents: Map<PageId, SpteId[]> = new Map();

  /** Page ids ever used: all ids are below this. */
  length = 0;
  /** Pages that are allocated and not zapped (`n_used_mmu_pages`). Kept by the MMU. */
  used = 0;

  #lanes: Int32Array = new Int32Array(FIRST_CAPACITY << PAGE_SHIFT);
  #newer: Int32Array = new Int32Array(FIRST_CAPACITY);
  #older: Int32Array = new Int32Array(FIRST_CAPACITY);
  #hashNext: Int32Array = new Int32Array(FIRST_CAPACITY);
  #state: Int32Array = new Int32Array(FIRST_CAPACITY);
  #buckets: Int32Array = new Int32Array(64).fill(NO_PAGE);
  /** 32 less the number of bits of a bucket number. */
  #bucketShift = 32 - 6;
  #newest: PageId = NO_PAGE;
  #oldest: PageId = NO_PAGE;
  #free: PageId[] = [];
  #live = 0;
  #nextSerial = 0;

  /**
   * Makes a pool without pages.
   *
   * @param emptyHi High lane of an empty entry, whose low lane is 0; 0 unless told.
   */
  constructor(readonly emptyHi: number = 0) {}

  /** Low lane of an entry, int32. */
  lo(page: PageId, index: number): number {
    return this.#lanes[(page << PAGE_SHIFT) | (index << 1)];
  }

  /** High lane of an entry, int32. */
  hi(page: PageId, index: number): number {
    return this.#lanes[(page << PAGE_SHIFT) | (index << 1) | 1];
  }

  /** Writes both lanes of an entry. */
  set(page: PageId, index: number, lo: number, hi: number): void {
    const lanes = this.#lanes;
    const at = (page << PAGE_SHIFT) | (index << 1);
    lanes[at] = lo;
    lanes[at + 1] = hi;
  }

  /** Whether an entry is empty (`SHADOW_NONPRESENT_VALUE`, 6.12; 0 before). */
  isEmpty(lo: number, hi: number): boolean {
    return lo === 0 && hi === this.emptyHi;
  }

  /**
   * The buffer that holds a page's 512 entries, as lo, hi, lo, hi, ..., for loops over a whole page. All pages lie in one
   * buffer: a second look-up in each level of a walk made it a third slower. A page that is allocated may replace it.
   */
  lanes(_page: PageId): Int32Array {
    return this.#lanes;
  }

  /** Where a page's entries begin in {@linkcode ShadowPagePool.lanes}. */
  laneOffset(page: PageId): number {
    return page << PAGE_SHIFT;
  }

  /** Whether the id names a page that is allocated now. */
  isLive(page: PageId): boolean {
    return page >= 0 && page < this.length && (this.#state[page] & LIVE) !== 0;
  }

  /** Whether the page ever held an MMIO spte (`mmio_cached` of 3.10: set once, never cleared while the page lives). */
  mmioCached(page: PageId): boolean {
    return (this.#state[page] & MMIO_CACHED) !== 0;
  }

  /** Remembers that the page holds an MMIO spte. */
  setMmioCached(page: PageId): void {
    this.#state[page] |= MMIO_CACHED;
  }

  /** Whether the guest may write the table that the page shadows, so that the page may be out of date (`unsync`). */
  isUnsync(page: PageId): boolean {
    return (this.#state[page] & UNSYNC) !== 0;
  }

  /** Says whether the page may be out of date. */
  setUnsync(page: PageId, unsync: boolean): void {
    if (unsync) this.#state[page] |= UNSYNC;
    else this.#state[page] &= ~UNSYNC;
  }

  /** The page made last, or {@linkcode NO_PAGE}. */
  get newest(): PageId {
    return this.#newest;
  }

  /** The page made first, or {@linkcode NO_PAGE}. */
  get oldest(): PageId {
    return this.#oldest;
  }

  /** The page before this one in the list of active pages, towards the newest. */
  newerThan(page: PageId): PageId {
    return this.#newer[page];
  }

  /** The page after this one in the list of active pages, towards the oldest. */
  olderThan(page: PageId): PageId {
    return this.#older[page];
  }

  /** First page of the hash bucket of a gfn; go on with {@linkcode ShadowPagePool.nextInBucket}. */
  firstInBucket(gfn: Gfn): PageId {
    return this.#buckets[this.#bucketOf(gfn)];
  }

  /** Next page of the same hash bucket, or {@linkcode NO_PAGE}. */
  nextInBucket(page: PageId): PageId {
    return this.#hashNext[page];
  }

  /**
   * Allocates a page with all entries clear and puts it at the head of the list and of its bucket.
   *
   * @returns Its id.
   */
  allocate(gfn: Gfn, role: Role, validGen: number): PageId {
    const page = this.#free.pop() ?? this.#grow();
    this.gfn[page] = gfn;
    this.serial[page] = this.#nextSerial++;
    this.role[page] = role;
    this.validGen[page] = validGen;
    this.rootCount[page] = 0;
    this.mmioCount[page] = 0;
    this.parent[page] = -1;
    this.#state[page] = LIVE;
    const offset = this.laneOffset(page);
    const lanes = this.lanes(page).fill(0, offset, offset + 2 * ENTRIES);
    if (this.emptyHi !== 0) { for (let at = offset + 1; at < offset + 2 * ENTRIES; at += 2) lanes[at] = this.emptyHi; }
    this.#live++;
    if (this.#live > 2 * this.#buckets.length) this.#rehash();
    const bucket = this.#bucketOf(gfn);
    this.#hashNext[page] = this.#buckets[bucket];
    this.#buckets[bucket] = page;
    this.#linkNewest(page);
    return page;
  }

  /** Moves a page to the head of the list of active pages. */
  moveToNewest(page: PageId): void {
    this.unlist(page);
    this.#linkNewest(page);
  }

  /** Takes a page off the list of active pages; it stays in the hash until it is freed. */
  unlist(page: PageId): void {
    const newer = this.#newer[page];
    const older = this.#older[page];
    if (newer === NO_PAGE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NO_PAGE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  /** Frees a page that is off the list: takes it out of the hash and lets its id be reused. */
  free(page: PageId): void {
    const bucket = this.#bucketOf(this.gfn[page]);
    if (this.#buckets[bucket] === page) this.#buckets[bucket] = this.#hashNext[page];
    else {
      let before = this.#buckets[bucket];
      while (this.#hashNext[before] !== page) before = this.#hashNext[before];
      this.#hashNext[before] = this.#hashNext[page];
    }
    this.#state[page] = 0;
    this.#live--;
    this.#free.push(page);
  }

  /** Folds the order in which page ids will be used again into a hash. */
  hashFreeInto(hasher: StateHasher): void {
    hasher.add(this.length);
    for (const page of this.#free) hasher.add(page);
  }

  #linkNewest(page: PageId): void {
    this.#newer[page] = NO_PAGE;
    this.#older[page] = this.#newest;
    if (this.#newest === NO_PAGE) this.#oldest = page;
    else this.#newer[this.#newest] = page;
    this.#newest = page;
  }

  #grow(): PageId {
    const page = this.length++;
    if (page >= this.gfn.length) this.#growColumns(2 * this.gfn.length);
    return page;
  }

  #growColumns(capacity: number): void {
    const float = (column: Float64Array) => {
      const grown = new Float64Array(capacity);
      grown.set(column);
      return grown;
    };
    const int = (column: Int32Array) => {
      const grown = new Int32Array(capacity);
      grown.set(column);
      return grown;
    };
    const lanes = new Int32Array(capacity << PAGE_SHIFT);
    lanes.set(this.#lanes);
    this.#lanes = lanes;
    this.gfn = float(this.gfn);
    this.serial = float(this.serial);
    this.role = int(this.role);
    this.validGen = int(this.validGen);
    this.rootCount = int(this.rootCount);
    this.mmioCount = int(this.mmioCount);
    this.parent = int(this.parent);
    this.#newer = int(this.#newer);
    this.#older = int(this.#older);
    this.#hashNext = int(this.#hashNext);
    this.#state = int(this.#state);
  }

  #bucketOf(gfn: Gfn): number {
    // Tables of one level lie 512^n frames apart: mix the high bits in, or they share a few buckets.
    const low = gfn | 0;
    const mixed = Math.imul(low ^ (low >>> 9) ^ (low >>> 18) ^ ((gfn / 0x100000000) | 0), 0x9e3779b1);
    return mixed >>> this.#bucketShift;
  }

  #rehash(): void {
    const buckets = new Int32Array(this.#buckets.length * 4).fill(NO_PAGE);
    const old = this.#buckets;
    const next = this.#hashNext;
    this.#buckets = buckets;
    this.#bucketShift -= 2;
    this.#hashNext = next.slice();
    for (let bucket = 0; bucket < old.length; bucket++) {
      for (let page = old[bucket]; page !== NO_PAGE; page = next[page]) {
        const target = this.#bucketOf(this.gfn[page]);
        this.#hashNext[page] = buckets[target];
        buckets[target] = page;
      }
    }
  }
}
