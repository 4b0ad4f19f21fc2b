import { type Gfn, MEM_LOG_DIRTY_PAGES, MEM_READONLY, type MemoryRegion } from "@mmu-lab/memslots";
import type { AccessKind } from "./guest.ts";

/** What is behind a guest frame: memory, memory that the guest cannot write, or nothing, so a device. */
export type FrameKind = "ram" | "read-only" | "mmio";

/** One exchange with the program that serves MMIO: a fragment that is read or written. */
export interface MmioExchange {
  /** Whether the guest writes. */
  readonly write: boolean;
  /** Guest-physical address of the first byte. */
  readonly gpa: number;
  /** What is written, or what the read gets, a byte each. */
  readonly bytes: readonly number[];
}

/** What an access must come to. */
export interface Prediction {
  /** What user space must have been asked, in order. */
  readonly exchanges: readonly MmioExchange[];
  /** What a read gets: `size` bytes; empty for a write. */
  readonly data: readonly number[];
}

/** An access as the oracle sees it: addresses are guest-physical. */
export interface FlatAccess {
  /** What it does. */
  readonly kind: AccessKind;
  /** Guest-physical address of the first byte. */
  readonly gpa: number;
  /** Size in bytes, 1 to 8; it may cross one page boundary. */
  readonly size: number;
  /** What is written, or added: `size` bytes. */
  readonly operand: readonly number[];
}

/** Pages of a slot that were written, and pages that were touched at all, since the log was last read. */
interface DirtyLog {
  readonly written: Set<number>;
  readonly touched: Set<number>;
}

/**
 * The flat oracle: what a guest must see, from the memslots alone. There are no shadow pages, no cache and no
 * generation here, only a list of slots and the bytes behind them, so whatever a VM makes of its MMU, it must agree
 * with this after every step that did not race with another.
 *
 * It knows neither devices in the kernel nor the page of the local APIC (gfn 0xfee00), which KVM handles as MMIO
 * whatever is there: keep both out of a comparison.
 *
 * | operation | cost |
 * |---|---|
 * | {@linkcode FlatOracle.frame}, {@linkcode FlatOracle.access} | O(slots) |
 * | {@linkcode FlatOracle.change} | O(1) |
 *
 * @example
 * ```ts
 * import { FlatOracle } from "@mmu-lab/machine";
 * import { assertEquals } from "@std/assert";
 *
 * const oracle = new FlatOracle(() => 0xff);
 * oracle.change({ id: 0, gpa: 0, size: 0x1000, flags: 0, userspaceAddr: 0x10000 });
 * oracle.access({ kind: "write", gpa: 0xffe, size: 4, operand: [1, 2, 3, 4] });
 * const { data, exchanges } = oracle.access({ kind: "read", gpa: 0xffe, size: 4, operand: [] });
 * assertEquals(data, [1, 2, 0xff, 0xff]);
 * assertEquals(exchanges, [{ write: false, gpa: 0x1000, bytes: [0xff, 0xff] }]);
 * ```
 */
export class FlatOracle {
  readonly #slots: Map<number, MemoryRegion> = new Map();
  readonly #logs: Map<number, DirtyLog> = new Map();
  /** Host memory by host page number. */
  readonly #memory: Map<number, Uint8Array> = new Map();
  readonly #device: (gpa: number) => number;

  /**
   * Makes an oracle that knows of no slot; memory is zero.
   *
   * @param device The byte that user space supplies when the guest reads MMIO at a guest-physical address.
   */
  constructor(device: (gpa: number) => number) {
    this.#device = device;
  }

  /** Takes note of a memslot change that succeeded. A size of 0 deletes. */
  change(region: MemoryRegion): void {
    const { id } = region;
    if (region.size === 0) {
      this.#slots.delete(id);
      this.#logs.delete(id);
      return;
    }
    this.#slots.set(id, region);
    if ((region.flags & MEM_LOG_DIRTY_PAGES) === 0) this.#logs.delete(id);
    else if (!this.#logs.has(id)) this.#logs.set(id, { written: new Set(), touched: new Set() });
  }

  /** What is behind a gfn now. */
  frame(gfn: Gfn): FrameKind {
    const slot = this.#slotOf(gfn);
    if (slot === undefined) return "mmio";
    return (slot.flags & MEM_READONLY) !== 0 ? "read-only" : "ram";
  }

  /** Performs an access, and says what must come of it. */
  access(access: FlatAccess): Prediction {
    const exchanges: MmioExchange[] = [];
    const { kind, size, operand } = access;
    let data: number[] = [];
    if (kind !== "write") data = this.#eachPage(access, (gpa, _at, length) => this.#read(gpa, length, exchanges));
    if (kind !== "read") {
      const stored = kind === "write" ? operand.slice(0, size) : sum(data, operand);
      this.#eachPage(access, (gpa, at, length) => this.#write(gpa, stored.slice(at, at + length), exchanges));
    }
    return { exchanges, data };
  }

  /**
   * Reads and clears what must be, and what may be, in the dirty log of a slot. KVM may report a page that was only
   * read: it maps a page writable at the first touch, and marks it dirty at once (3.11 mmu.c, `set_spte`).
   *
   * @returns Page numbers in the slot, in order; `undefined` if the slot logs none.
   */
  dirtyLog(id: number): { readonly written: number[]; readonly touched: number[] } | undefined {
    const log = this.#logs.get(id);
    if (log === undefined) return undefined;
    const ordered = (pages: Set<number>) => [...pages].sort((a, b) => a - b);
    const result = { written: ordered(log.written), touched: ordered(log.touched) };
    log.written.clear();
    log.touched.clear();
    return result;
  }

  #eachPage(access: FlatAccess, one: (gpa: number, at: number, length: number) => number[]): number[] {
    const inFirst = Math.min(access.size, 4096 - (access.gpa % 4096));
    const first = one(access.gpa, 0, inFirst);
    if (inFirst === access.size) return first;
    return [...first, ...one(access.gpa + inFirst, inFirst, access.size - inFirst)];
  }

  #read(gpa: number, length: number, exchanges: MmioExchange[]): number[] {
    const slot = this.#slotOf(Math.floor(gpa / 4096));
    if (slot === undefined) {
      const bytes = Array.from({ length }, (_, i) => this.#device(gpa + i));
      exchanges.push({ write: false, gpa, bytes });
      return bytes;
    }
    this.#logs.get(slot.id)?.touched.add(pageIn(slot, gpa));
    const page = this.#page(slot, gpa);
    return [...page.subarray(gpa % 4096, gpa % 4096 + length)];
  }

  #write(gpa: number, bytes: readonly number[], exchanges: MmioExchange[]): number[] {
    const slot = this.#slotOf(Math.floor(gpa / 4096));
    if (slot === undefined || (slot.flags & MEM_READONLY) !== 0) {
      exchanges.push({ write: true, gpa, bytes });
      return [];
    }
    const log = this.#logs.get(slot.id);
    log?.written.add(pageIn(slot, gpa));
    log?.touched.add(pageIn(slot, gpa));
    this.#page(slot, gpa).set(bytes, gpa % 4096);
    return [];
  }

  /** The slot that holds a gfn; where slots overlap, as KVM's own may, the largest, as the kernel searches. */
  #slotOf(gfn: Gfn): MemoryRegion | undefined {
    let found: MemoryRegion | undefined;
    for (const slot of this.#slots.values()) {
      const inside = gfn * 4096 >= slot.gpa && gfn * 4096 < slot.gpa + slot.size;
      if (inside && slot.size > (found?.size ?? 0)) found = slot;
    }
    return found;
  }

  #page(slot: MemoryRegion, gpa: number): Uint8Array {
    const hostPage = Math.floor((slot.userspaceAddr + (gpa - slot.gpa)) / 4096);
    let page = this.#memory.get(hostPage);
    if (page === undefined) {
      page = new Uint8Array(4096);
      this.#memory.set(hostPage, page);
    }
    return page;
  }
}

function pageIn(slot: MemoryRegion, gpa: number): number {
  return Math.floor((gpa - slot.gpa) / 4096);
}

/** The sum of two little-endian numbers of the same size, cut to it. */
function sum(a: readonly number[], b: readonly number[]): number[] {
  let carry = 0;
  return a.map((byte, i) => {
    const total = byte + b[i] + carry;
    carry = total >> 8;
    return total & 0xff;
  });
}
