import type { Gfn } from "@mmu-lab/memslots";
import type { GuestTables } from "./guest_tables.ts";

/** Guest memory in one piece from frame 0 on, all zero, always writable, for tests, benches and tools. */
export class FlatTables implements GuestTables {
  lo = 0;
  hi = 0;
  /** The memory as 32-bit words. */
  readonly lanes: Int32Array;
  /** By frame: whether {@linkcode FlatTables.markPageDirty} was told of it. */
  readonly dirty: Uint8Array;
  readonly #frames: number;

  /** Makes the memory. @param frames How many frames, at most 2^20. */
  constructor(frames: number) {
    this.#frames = frames;
    this.lanes = new Int32Array(frames * 1024);
    this.dirty = new Uint8Array(frames);
  }

  read8(tableLo: number, tableHi: number, index: number): number {
    const frame = tableLo >>> 12;
    if (frame >= this.#frames || (tableHi & 0xfffff) !== 0) return -1;
    const { lanes } = this;
    const at = (frame << 10) | (index << 1);
    this.lo = lanes[at];
    this.hi = lanes[at | 1];
    return at;
  }

  read4(tableLo: number, tableHi: number, index: number): number {
    const frame = tableLo >>> 12;
    if (frame >= this.#frames || (tableHi & 0xfffff) !== 0) return -1;
    const at = (frame << 10) | index;
    this.lo = this.lanes[at];
    this.hi = 0;
    return at;
  }

  compareExchange8(at: number, oldLo: number, oldHi: number, newLo: number, newHi: number): number {
    const { lanes } = this;
    if (lanes[at] !== oldLo || lanes[at | 1] !== oldHi) return 1;
    lanes[at] = newLo;
    lanes[at | 1] = newHi;
    return 0;
  }

  compareExchange4(at: number, old: number, replacement: number): number {
    if (this.lanes[at] !== old) return 1;
    this.lanes[at] = replacement;
    return 0;
  }

  isWritable(_at: number): boolean {
    return true;
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
}
