import type { Gfn } from "@mmu-lab/memslots";
import { type Lock, type Protocol, Work, type WorkCounters } from "@mmu-lab/protocol";
import type { Generation, MmuControl } from "./strategy.ts";

/** An entry: nothing, RAM, or MMIO with the generation that it stores. */
export type ReferenceSpte = undefined | "ram" | Generation;

const ENTRIES = 8;
/** Pages zapped before the lock is given up for a moment, as in 3.11. */
const BATCH = 10;

interface Table {
  readonly gfn: Gfn;
  readonly entries: ReferenceSpte[];
  mmioCached: boolean;
}

/**
 * The shadow pages of the reference world: flat tables of 8 entries, numbered as they are made, numbers of freed tables
 * used again. Implements {@linkcode MmuControl} to the letter, the lock assertions included.
 */
export class ReferenceTables implements MmuControl {
  readonly lock: Lock;
  readonly counters: WorkCounters;
  readonly #tables: (Table | undefined)[] = [];
  readonly #numberOf: Map<Gfn, number> = new Map();
  #cursor = 0;

  /**
   * Makes a world's tables; there are none yet.
   *
   * @param lock `mmu_lock`. @param counters Where work is counted.
   */
  constructor(lock: Lock, counters: WorkCounters) {
    this.lock = lock;
    this.counters = counters;
  }

  get pagesWithMmio(): number {
    return this.#tables.filter((table) => table?.entries.some(isMmio)).length;
  }

  get sweepLength(): number {
    return this.#tables.length;
  }

  /** The entry of a gfn. Takes no lock. */
  read(gfn: Gfn): ReferenceSpte {
    this.counters.counts[Work.sptesVisited]++;
    const number = this.#numberOf.get(gfn - (gfn % ENTRIES));
    return number === undefined ? undefined : this.#tables[number]?.entries[gfn % ENTRIES];
  }

  /** Writes the entry of a gfn, and makes the table that it needs. Under the lock. */
  write(gfn: Gfn, spte: ReferenceSpte): void {
    this.lock.assertHeld("write an spte");
    const table = this.#tables[this.#tableOf(gfn)]!;
    table.entries[gfn % ENTRIES] = spte;
    if (isMmio(spte)) {
      table.mmioCached = true;
      this.counters.counts[Work.mmioSptesMarked]++;
    } else this.counters.counts[Work.sptesWritten]++;
  }

  /** Zaps the mappings of a slot. Under the lock. */
  zapRam(baseGfn: Gfn, npages: number): void {
    this.lock.assertHeld("zap the mappings of a slot");
    for (let gfn = baseGfn; gfn < baseGfn + npages; gfn++) if (this.read(gfn) === "ram") this.write(gfn, undefined);
  }

  zapMmioPages(filter: "mmio-cached" | "every-page"): void {
    this.lock.assertHeld("walk all shadow pages");
    for (const [number, table] of this.#tables.entries()) {
      this.counters.counts[Work.pagesVisited]++;
      if (table !== undefined && (filter === "every-page" || table.mmioCached)) this.#zap(number);
    }
  }

  *walkMmioPages(): Protocol<void> {
    yield this.lock.acquire;
    for (let number = 0; number < this.#tables.length; number++) {
      this.counters.counts[Work.pagesVisited]++;
      if (!this.#tables[number]?.mmioCached) continue;
      this.#zap(number);
      yield this.lock.release;
      yield this.lock.acquire;
      number = -1;
    }
    yield this.lock.release;
  }

  sweepMmioSptes(maxPages: number, isStale: (stored: Generation, asId: number) => boolean): boolean {
    this.lock.assertHeld("sweep MMIO sptes");
    if (!(maxPages >= 1)) throw new RangeError(`Cannot sweep ${maxPages} pages: expected at least 1`);
    const end = Math.min(this.#cursor + maxPages, this.#tables.length);
    for (; this.#cursor < end; this.#cursor++) {
      this.counters.counts[Work.pagesVisited]++;
      const entries = this.#tables[this.#cursor]?.entries ?? [];
      for (const [index, spte] of entries.entries()) {
        this.counters.counts[Work.sptesVisited]++;
        if (typeof spte !== "number" || !isStale(spte, 0)) continue;
        entries[index] = undefined;
        this.counters.counts[Work.mmioSptesZapped]++;
      }
    }
    if (this.#cursor < this.#tables.length) return false;
    this.#cursor = 0;
    return true;
  }

  *zapAll(): Protocol<void> {
    yield this.lock.acquire;
    const doomed = [...this.#numberOf.values()];
    for (const [done, number] of doomed.entries()) {
      if (done > 0 && done % BATCH === 0) {
        yield this.lock.release;
        yield this.lock.acquire;
      }
      if (this.#tables[number] !== undefined) this.#zap(number);
    }
    yield this.lock.release;
  }

  #tableOf(gfn: Gfn): number {
    const base = gfn - (gfn % ENTRIES);
    const known = this.#numberOf.get(base);
    if (known !== undefined) return known;
    const free = this.#tables.indexOf(undefined);
    const number = free === -1 ? this.#tables.length : free;
    this.#tables[number] = { gfn: base, entries: new Array(ENTRIES).fill(undefined), mmioCached: false };
    this.#numberOf.set(base, number);
    this.counters.counts[Work.pagesAllocated]++;
    return number;
  }

  #zap(number: number): void {
    this.counters.counts[Work.pagesZapped]++;
    this.counters.counts[Work.sptesVisited] += ENTRIES;
    this.#numberOf.delete(this.#tables[number]!.gfn);
    this.#tables[number] = undefined;
  }
}

function isMmio(spte: ReferenceSpte): boolean {
  return typeof spte === "number";
}
