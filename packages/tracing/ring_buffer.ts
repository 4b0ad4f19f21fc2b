import { eventById, MAX_SLOTS, type TraceEvent } from "./event.ts";
import type { TraceRecord, TraceSink } from "./sink.ts";

/**
 * A sink that keeps the last events in typed arrays, 68 bytes each. When it is full the oldest event is overwritten and
 * counted as lost, as in the kernel's ring buffer. Emitting allocates nothing.
 *
 * | operation | cost |
 * | --------- | ---- |
 * | emit      | O(1) |
 * | iterate   | O(1) and one record allocated, per event kept |
 *
 * @example Keep the last two events
 * ```ts
 * import { CHECK_MMIO_SPTE, KVM_ENTRY, RingBuffer } from "@mmu-lab/tracing";
 * import { assertEquals } from "@std/assert";
 *
 * const ring = new RingBuffer(2);
 * ring.emit(KVM_ENTRY, 0);
 * ring.emit(CHECK_MMIO_SPTE, 0, 0xe0000b5e, 0xfff00000, 0x7ff6b, 0x7ff6b, 1);
 * ring.emit(KVM_ENTRY, 1);
 * assertEquals(ring.lost, 1);
 * assertEquals(Array.from(ring, (record) => record.event.name), ["check_mmio_spte", "kvm_entry"]);
 * ```
 */
export class RingBuffer implements TraceSink {
  /** Whether events are wanted; may be set at any time. */
  on = true;
  /** How many events are kept at most. */
  readonly capacity: number;

  #ids: Uint16Array;
  #vcpus: Int16Array;
  #slots: Float64Array;
  #written = 0;
  #next = 0;
  #first = 0;

  /**
   * Makes an empty buffer that is on.
   *
   * @param capacity How many events to keep, from 1.
   * @throws {RangeError} If the capacity is not a positive integer.
   */
  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot make a ring buffer of ${capacity} events: the capacity is a positive integer`);
    }
    this.capacity = capacity;
    this.#ids = new Uint16Array(capacity);
    this.#vcpus = new Int16Array(capacity);
    this.#slots = new Float64Array(capacity * MAX_SLOTS);
  }

  /** How many events were emitted since the start, lost and cleared ones included. */
  get written(): number {
    return this.#written;
  }

  /** How many events are kept now. */
  get length(): number {
    return Math.min(this.#written - this.#first, this.capacity);
  }

  /** How many events were overwritten since the start or the last {@linkcode clear}. */
  get lost(): number {
    return this.#written - this.#first - this.length;
  }

  /** Keeps an event, over the oldest one if need be. */
  emit(event: TraceEvent, vcpu: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0): void {
    const at = this.#next;
    const slots = this.#slots;
    const base = at * MAX_SLOTS;
    this.#ids[at] = event.id;
    this.#vcpus[at] = vcpu;
    slots[base] = a;
    slots[base + 1] = b;
    slots[base + 2] = c;
    slots[base + 3] = d;
    slots[base + 4] = e;
    slots[base + 5] = f;
    slots[base + 6] = g;
    slots[base + 7] = h;
    this.#next = at + 1 === this.capacity ? 0 : at + 1;
    this.#written++;
  }

  /** Forgets all events; sequence numbers go on. */
  clear(): void {
    this.#first = this.#written;
    this.#next = 0;
  }

  /** The events kept, oldest first. Do not emit while iterating. */
  *[Symbol.iterator](): Generator<TraceRecord> {
    const { length, capacity } = this;
    let at = (this.#next - length + capacity) % capacity;
    for (let sequence = this.#written - length; sequence < this.#written; sequence++) {
      const event = eventById(this.#ids[at] ?? 0);
      const args = Array.from(this.#slots.subarray(at * MAX_SLOTS, at * MAX_SLOTS + event.slots));
      yield { event, vcpu: this.#vcpus[at] ?? -1, sequence, args };
      at = at + 1 === capacity ? 0 : at + 1;
    }
  }
}
