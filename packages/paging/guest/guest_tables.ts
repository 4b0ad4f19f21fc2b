import type { Gfn } from "@mmu-lab/memslots";

/**
 * Guest memory, as far as a walker needs it: entries of tables. KVM reaches it through a memslot and the host's page
 * tables (`gfn_to_hva`, `__copy_from_user`, `cmpxchg` on user memory); either can fail, and the walker does not ask which.
 */
export interface GuestTables {
  /** Bits 31:0 of the entry read last, int32. */
  readonly lo: number;
  /** Bits 63:32 of the entry read last, int32; 0 after {@linkcode GuestTables.read4}. */
  readonly hi: number;
  /**
   * Reads an entry of 8 bytes into {@linkcode GuestTables.lo} and {@linkcode GuestTables.hi}. The table is named as
   * entries name tables, by an address in two lanes, of which bits 51:12 count.
   *
   * @param tableLo Bits 31:0 of the table's address, int32. @param tableHi Bits 63:32, int32. @param index The entry, 0
   * to 511.
   * @returns Where it lies, a number from 0 to 2^31 - 1 of the implementation's own for the calls below; -1 if there is no
   * memory, or it cannot be read.
   */
  read8(tableLo: number, tableHi: number, index: number): number;
  /** Reads an entry of 4 bytes, index 0 to 1023; else as {@linkcode GuestTables.read8}. */
  read4(tableLo: number, tableHi: number, index: number): number;
  /**
   * Replaces an entry of 8 bytes if it is still what it was, as one atomic act.
   *
   * @param at What reading it returned.
   * @returns 0: replaced; 1: it is something else now; -1: it cannot be written.
   */
  compareExchange8(at: number, oldLo: number, oldHi: number, newLo: number, newHi: number): number;
  /** Replaces an entry of 4 bytes; else as {@linkcode GuestTables.compareExchange8}. */
  compareExchange4(at: number, old: number, replacement: number): number;
  /** Whether the memslot of an entry may be written. */
  isWritable(at: number): boolean;
  /** Notes that a table has been written, for dirty logging (`mark_page_dirty`). */
  markPageDirty(gfn: Gfn): void;
}
