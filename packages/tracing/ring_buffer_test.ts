import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { KVM_ENTRY, KVM_EXIT, KVM_PIO } from "./events_kvm.ts";
import { RingBuffer } from "./ring_buffer.ts";

Deno.test("RingBuffer keeps slots, vCPU and order", () => {
  const ring = new RingBuffer(4);
  ring.emit(KVM_EXIT, 3, 48, -0x1000, 0xffffffff, 1, 2, 3, 4, 5);
  ring.emit(KVM_PIO, -1, 1, 16);
  assertEquals([...ring], [
    { event: KVM_EXIT, vcpu: 3, sequence: 0, args: [48, -0x1000, 0xffffffff, 1, 2, 3, 4, 5] },
    { event: KVM_PIO, vcpu: -1, sequence: 1, args: [1, 16, 0, 0, 0, 0] },
  ]);
});

Deno.test("RingBuffer keeps the last events and counts the others, as a list does", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 9 }),
    fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(99) }, { weight: 1, arbitrary: fc.constant("clear" as const) })),
    (capacity, steps) => {
      const ring = new RingBuffer(capacity);
      let model: number[] = [];
      let written = 0;
      for (const step of steps) {
        if (step === "clear") {
          ring.clear();
          model = [];
        } else {
          ring.emit(KVM_ENTRY, 0, step);
          model.push(step);
          written++;
        }
        const kept = model.slice(-capacity);
        assertEquals([...ring].map((record) => record.args[0]), kept);
        assertEquals([...ring].map((record) => record.sequence), kept.map((_, index) => written - kept.length + index));
        assertEquals([ring.length, ring.lost, ring.written], [kept.length, model.length - kept.length, written]);
      }
    },
  ));
});

Deno.test("RingBuffer rejects a capacity that is not a positive integer", () => {
  for (const capacity of [0, -1, 1.5, NaN]) {
    assertThrows(() => new RingBuffer(capacity), RangeError, "the capacity is a positive integer");
  }
});
