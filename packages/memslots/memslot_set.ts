import type { Gfn, Memslot } from "./memslot.ts";

/**
 * All slots of one address space at one moment (`struct kvm_memslots`), sorted by gfn. Which slots it holds never
 * changes; an update makes a new set and publishes it.
 *
 * | operation | cost |
 * |---|---|
 * | {@linkcode MemslotSet.find} | 1 if the last-used slot fits, else O(log slots) |
 * | {@linkcode MemslotSet.byId} | O(1) |
 * | {@linkcode MemslotSet.with}, {@linkcode MemslotSet.without} | O(slots) |
 *
 * The 3.11 kernel searches an array sorted by size, largest first; the binary search with a last-used hint is that of
 * later kernels (facts sheet 4.1). Which slot is found is the same: where slots overlap, which a slot that KVM made
 * for itself may do, the search is the kernel's.
 */
export class MemslotSet {
  readonly #slots: readonly Memslot[];
  readonly #byId: ReadonlyMap<number, Memslot>;
  /** Slots by size, largest first, when some overlap; else `undefined`. */
  readonly #largestFirst: readonly Memslot[] | undefined;
  #lastUsed = 0;

  /**
   * Makes a set.
   *
   * @param slots Slots with distinct ids, in any order.
   */
  constructor(slots: Iterable<Memslot> = []) {
    this.#slots = [...slots].sort((a, b) => a.baseGfn - b.baseGfn);
    this.#byId = new Map(this.#slots.map((slot) => [slot.id, slot]));
    if (this.#slots.some((slot, i) => i > 0 && slot.baseGfn < endOf(this.#slots[i - 1]))) {
      this.#largestFirst = [...this.#slots].sort((a, b) => b.npages - a.npages);
    }
  }

  /** The number of slots. */
  get size(): number {
    return this.#slots.length;
  }

  /** The slots, lowest gfn first. */
  [Symbol.iterator](): IterableIterator<Memslot> {
    return this.#slots[Symbol.iterator]();
  }

  /**
   * The slot that holds `gfn`, whether or not it is marked invalid.
   *
   * @param gfn A guest frame.
   * @returns The slot, or `undefined` where there is none.
   */
  find(gfn: Gfn): Memslot | undefined {
    if (this.#largestFirst !== undefined) {
      return this.#largestFirst.find((slot) => gfn >= slot.baseGfn && gfn < endOf(slot));
    }
    const slots = this.#slots;
    if (slots.length === 0) return undefined;
    const last = slots[this.#lastUsed];
    if (gfn >= last.baseGfn && gfn < endOf(last)) return last;
    let low = 0;
    let high = slots.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const slot = slots[middle];
      if (gfn < slot.baseGfn) high = middle - 1;
      else if (gfn >= endOf(slot)) low = middle + 1;
      else {
        this.#lastUsed = middle;
        return slot;
      }
    }
    return undefined;
  }

  /** The slot with that id, or `undefined`. */
  byId(id: number): Memslot | undefined {
    return this.#byId.get(id);
  }

  /** A new set in which `slot` takes the place of the one with its id, if there is one. */
  with(slot: Memslot): MemslotSet {
    return new MemslotSet([...this.#slots.filter((other) => other.id !== slot.id), slot]);
  }

  /** A new set without the slot of that id. */
  without(id: number): MemslotSet {
    return new MemslotSet(this.#slots.filter((slot) => slot.id !== id));
  }
}

function endOf(slot: Memslot): Gfn {
  return slot.baseGfn + slot.npages;
}
