import type { Gfn } from "@mmu-lab/memslots";

/**
 * Guest memory, as far as a walker needs it: tables. KVM reaches one through a memslot and the host's page tables
 * (`gfn_to_hva`, `__copy_from_user`, `cmpxchg` on user memory); either can fail, and the walker does not ask which.
 *
 * A table is named as entries name tables: by an address in two lanes, low and high, of which bits 51:12 count.
 */
export interface GuestTables {
  /** The memory that the table found last lies in, as 32-bit words. */
  readonly lanes: Int32Array;
  /**
   * Finds a table.
   *
   * @returns Where it begins in {@linkcode GuestTables.lanes}, a multiple of 1024; -1 if there is no memory, or it cannot
   * be read.
   */
  find(tableLo: number, tableHi: number): number;
  /** Whether the memslot of a table may be written. */
  isWritable(tableLo: number, tableHi: number): boolean;
  /**
   * Replaces an entry of 8 bytes if it is still what it was, as one atomic act.
   *
   * @param index The entry, 0 to 511.
   * @returns 0: replaced; 1: it is something else now; -1: it cannot be written.
   */
  compareExchange8(
    tableLo: number,
    tableHi: number,
    index: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
  ): number;
  /** Replaces an entry of 4 bytes, index 0 to 1023; else as {@linkcode GuestTables.compareExchange8}. */
  compareExchange4(tableLo: number, tableHi: number, index: number, old: number, replacement: number): number;
  /** Notes that a table has been written, for dirty logging (`mark_page_dirty`). */
  markPageDirty(gfn: Gfn): void;
}

/**
 * Replaces an entry of 8 bytes in memory that nobody else writes meanwhile: what `compareExchange8` is where a step of the
 * model is atomic anyway.
 *
 * @returns As {@linkcode GuestTables.compareExchange8}.
 */
export function exchange8(
  tables: GuestTables,
  tableLo: number,
  tableHi: number,
  index: number,
  oldLo: number,
  oldHi: number,
  newLo: number,
  newHi: number,
): number {
  const table = tables.find(tableLo, tableHi);
  if (table < 0) return -1;
  const { lanes } = tables;
  const at = table + 2 * index;
  if (lanes[at] !== oldLo || lanes[at + 1] !== oldHi) return 1;
  lanes[at] = newLo;
  lanes[at + 1] = newHi;
  return 0;
}

/** The same for an entry of 4 bytes. */
export function exchange4(
  tables: GuestTables,
  tableLo: number,
  tableHi: number,
  index: number,
  old: number,
  replacement: number,
): number {
  const table = tables.find(tableLo, tableHi);
  if (table < 0) return -1;
  const { lanes } = tables;
  if (lanes[table + index] !== old) return 1;
  lanes[table + index] = replacement;
  return 0;
}
