import type { StateHasher } from "@mmu-lab/protocol";
import { LINEAR_PAGES } from "./linear_address.ts";

const ENTRIES = 64;
const EMPTY = -1;

/** Added to the page of an instruction fetch: entries for data do not serve it, and the other way round. */
export const FETCH_PAGES: number = LINEAR_PAGES;

/**
 * The TLB of one vCPU: guest-virtual page to host frame, direct-mapped with 64 entries of 4 KiB each. A large page
 * takes an entry for each piece that is used. Size and shape are modelling choices; what matters is that a translation
 * may be used until it is flushed, and that nothing caches an MMIO spte (facts sheet 7.3).
 */
export class Tlb {
  /** Page and frame of each entry by turns. */
  readonly #entries: Float64Array = new Float64Array(2 * ENTRIES).fill(EMPTY);
  readonly #writable: Uint8Array = new Uint8Array(ENTRIES);

  /**
   * Looks a page up.
   *
   * @param page Linear page number; of a fetch plus {@linkcode FETCH_PAGES}.
   * @param write Whether the access writes; an entry filled by a read does not serve a write, so that the walk can set
   * the dirty bit.
   * @returns The host frame, or -1 if there is no entry that serves.
   */
  lookup(page: number, write: boolean): number {
    const at = page & (ENTRIES - 1);
    if (this.#entries[2 * at] !== page || (write && this.#writable[at] === 0)) return EMPTY;
    return this.#entries[2 * at + 1];
  }

  /** Remembers a translation. */
  fill(page: number, pfn: number, writable: boolean): void {
    const at = page & (ENTRIES - 1);
    this.#entries[2 * at] = page;
    this.#entries[2 * at + 1] = pfn;
    this.#writable[at] = writable ? 1 : 0;
  }

  /** What it remembers, for audits. */
  *translations(): Generator<{ readonly page: number; readonly pfn: number; readonly writable: boolean }> {
    for (let at = 0; at < ENTRIES; at++) {
      const page = this.#entries[2 * at];
      if (page !== EMPTY) yield { page, pfn: this.#entries[2 * at + 1], writable: this.#writable[at] !== 0 };
    }
  }

  /** Folds the translations into a hash. */
  hashInto(hasher: StateHasher): void {
    for (let at = 0; at < ENTRIES; at++) {
      const page = this.#entries[2 * at];
      if (page !== EMPTY) hasher.add(page).add(this.#entries[2 * at + 1]).add(this.#writable[at]);
    }
  }

  /** Forgets everything. */
  flush(): void {
    this.#entries.fill(EMPTY);
  }
}
