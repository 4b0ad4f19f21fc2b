import { type Gfn, pagesPerEntry } from "@mmu-lab/memslots";
import type { PageId, SpteId } from "../pages/page_pool.ts";
import { asIdOf, levelOf, type Role } from "../pages/role.ts";

/** Levels that a key of a gfn has room for. */
const LEVELS = 4;

/**
 * What the MMU keeps beside its pages to shadow guest tables: the reverse map from frames to the entries that map them,
 * which guest tables are shadowed, and which pages may be out of date. All empty while nothing is shadowed.
 *
 * The kernel keeps the reverse map and the counts of large pages in the memslot; here they go by gfn (modelling choice:
 * all that maps a slot is zapped before it goes). Direct pages are in none of it: the hash finds their entries by gfn.
 */
export class ShadowBooks {
  /** Pages that shadow guest tables (`indirect_shadow_pages`); zapped ones are not counted. */
  indirectPages = 0;
  /** Entries of indirect pages that map a page of a level, by {@linkcode rmapKey}. */
  readonly rmap: Map<number, SpteId[]> = new Map();
  /** Of each page the entries below which a page may be out of date (`unsync_child_bitmap`). */
  readonly unsyncChildren: Map<PageId, Set<number>> = new Map();
  /** Writes to each page's guest table since it was last used (`write_flooding_count`). */
  readonly floods: Map<PageId, number> = new Map();
  /** How many shadowed tables lie in each frame of level 2 and 3 (`lpage_info.write_count`), by {@linkcode tableKey}. */
  readonly shadowed: Map<number, number> = new Map();
  /** How many shadowed tables above level 1 lie in each frame (`gfn_track`), by {@linkcode tableKey}. */
  readonly tracked: Map<number, number> = new Map();
  /**
   * Whether a sync has dropped mappings of which other vCPUs' TLBs were not flushed (`kvm->tlbs_dirty`): it is for the
   * guest to flush them, and for whoever frees the memory. Only `auditTlbs` asks.
   */
  tlbsDirty = false;
  /** The frame that each entry of an indirect page maps (`gfns`); 512 a page, kept when the page is freed. */
  readonly #gfns: Float64Array[] = [];
  /** What the guest allows there: exec 1, write 2, user 4 (`shadowed_translation`, 6.1, has both). */
  readonly #accesses: Uint8Array[] = [];

  /** The frame that an entry of an indirect page maps. It means something only while the entry is a present leaf. */
  gfnOf(page: PageId, index: number): Gfn {
    return this.#gfns[page]?.[index] ?? 0;
  }

  /** What the guest allows where an entry of an indirect page maps: exec 1, write 2, user 4. */
  accessAt(page: PageId, index: number): number {
    return this.#accesses[page]?.[index] ?? 0;
  }

  /** Notes the frame that an entry maps, and what the guest allows there. */
  setTranslation(page: PageId, index: number, gfn: Gfn, access: number): void {
    (this.#gfns[page] ??= new Float64Array(512))[index] = gfn;
    (this.#accesses[page] ??= new Uint8Array(512))[index] = access;
  }

  /** Notes that the guest table in a frame is shadowed by a page of a role, once more (`account_shadowed`). */
  account(gfn: Gfn, role: Role): void {
    this.#note(gfn, role, 1);
  }

  /** Takes one such note back (`unaccount_shadowed`). */
  unaccount(gfn: Gfn, role: Role): void {
    this.#note(gfn, role, -1);
  }

  #note(gfn: Gfn, role: Role, by: number): void {
    this.indirectPages += by;
    const asId = asIdOf(role);
    if (levelOf(role) > 1) add(this.tracked, tableKey(gfn, 1, asId), by);
    for (const level of [2, 3]) add(this.shadowed, tableKey(gfn, level, asId), by);
  }

  /** Whether a page of a level must not be mapped large, for a shadowed table lies in it. */
  hasShadowed(gfn: Gfn, level: number, asId: number): boolean {
    return this.indirectPages > 0 && this.shadowed.has(tableKey(gfn, level, asId));
  }

  /** Whether a frame holds a shadowed table above level 1 (`kvm_page_track_is_active`). */
  isTracked(gfn: Gfn, asId: number): boolean {
    return this.tracked.has(tableKey(gfn, 1, asId));
  }
}

function add(counts: Map<number, number>, key: number, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** The key of the page of a level that a gfn of an address space lies in. */
export function tableKey(gfn: Gfn, level: number, asId: number): number {
  return rmapKey(gfn, level) * 2 + asId;
}

/** The key of the page of a level that a gfn lies in. */
export function rmapKey(gfn: Gfn, level: number): number {
  return Math.floor(gfn / pagesPerEntry(level)) * LEVELS + level;
}
