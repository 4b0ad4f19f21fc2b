import type { Gfn } from "@mmu-lab/memslots";
import { exchange4, exchange8, type GuestTables } from "./guest_tables.ts";

/** Guest memory in one piece from frame 0 on, all zero, always writable, for tests, benches and tools. */
export class FlatTables implements GuestTables {
  /** The memory as 32-bit words. */
  declare readonly lanes: Int32Array;
  /** By frame: whether {@linkcode FlatTables.markPageDirty} was told of it. */
  declare readonly dirty: Uint8Array;
  readonly #frames: number = 0;

  /** Makes the memory. @param frames How many frames, at most 2^20. */
  constructor(frames: number) {
    this.#frames = frames;
    this.lanes = new Int32Array(frames * 1024);
    this.dirty = new Uint8Array(frames);
  }

  find(tableLo: number, tableHi: number): number {
    const frame = tableLo >>> 12;
    return frame < this.#frames && (tableHi & 0xfffff) === 0 ? frame << 10 : -1;
  }

  isWritable(_tableLo: number, _tableHi: number): boolean {
    return true;
  }

  compareExchange8(
    tableLo: number,
    tableHi: number,
    index: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
  ): number {
    return exchange8(this, tableLo, tableHi, index, oldLo, oldHi, newLo, newHi);
  }

  compareExchange4(tableLo: number, tableHi: number, index: number, old: number, replacement: number): number {
    return exchange4(this, tableLo, tableHi, index, old, replacement);
  }

  markPageDirty(gfn: Gfn): void {
    this.dirty[gfn] = 1;
  }

  /**
   * Writes an entry of 8 bytes.
   *
   * @param gfn The table, one of this memory. @param index The entry, 0 to 511. @param lo Bits 31:0. @param hi Bits 63:32.
   */
  write8(gfn: Gfn, index: number, lo: number, hi: number): void {
    const at = (gfn << 10) | (index << 1);
    this.lanes[at] = lo;
    this.lanes[at | 1] = hi;
  }

  /** Writes an entry of 4 bytes, index 0 to 1023. */
  write4(gfn: Gfn, index: number, value: number): void {
    this.lanes[(gfn << 10) | index] = value;
  }

  /** Reads an entry of 8 bytes: its two lanes. */
  read8(gfn: Gfn, index: number): [lo: number, hi: number] {
    const at = (gfn << 10) | (index << 1);
    return [this.lanes[at], this.lanes[at | 1]];
  }

  /** Reads an entry of 4 bytes, index 0 to 1023. */
  read4(gfn: Gfn, index: number): number {
    return this.lanes[(gfn << 10) | index];
  }
}
