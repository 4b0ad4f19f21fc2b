/** The actors that can go on, the one with the earliest clock first; among equals the lowest number. A binary heap. */
export class EventQueue {
  readonly #clocks: Float64Array;
  readonly #heap: Int32Array;
  #size = 0;

  /** @param clocks The clock of each actor; one must not change while the actor is in the queue. */
  constructor(clocks: Float64Array) {
    this.#clocks = clocks;
    this.#heap = new Int32Array(clocks.length);
  }

  /** How many actors it holds. */
  get size(): number {
    return this.#size;
  }

  /** Adds an actor that is not in the queue. O(log actors). */
  push(actor: number): void {
    const heap = this.#heap;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(actor, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = actor;
  }

  /** Takes the first actor out; the queue must not be empty. O(log actors). */
  pop(): number {
    const heap = this.#heap;
    const first = heap[0];
    const moved = heap[--this.#size];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#isBefore(heap[child + 1], heap[child])) child++;
      if (!this.#isBefore(heap[child], moved)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = moved;
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const clocks = this.#clocks;
    return clocks[a] < clocks[b] || (clocks[a] === clocks[b] && a < b);
  }
}
