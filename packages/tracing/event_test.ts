import { assertEquals, assertThrows } from "@std/assert";
import { allEvents, defineEvent, eventById, eventNamed, eventSlots, eventValues } from "./event.ts";
import { MARK_MMIO_SPTE } from "./events_kvmmmu.ts";
import { num, u64, vcpu } from "./field.ts";

Deno.test("eventById() and eventNamed() find every event", () => {
  for (const [index, event] of allEvents().entries()) {
    assertEquals(event.id, index);
    assertEquals(eventById(event.id), event);
    assertEquals(eventNamed(event.name), event);
  }
  assertEquals(eventNamed("kvm_no_such_event"), undefined);
  assertThrows(() => eventById(100_000), RangeError, "Cannot find event 100000");
});

Deno.test("defineEvent() keeps a format until the next era that is named", () => {
  const event = defineEvent("probe", "test_eras", [num("gfn")], { "4.10": "gfn %x{gfn}", "6.1": null });
  assertEquals(event.format("3.11"), undefined);
  assertEquals(event.format("4.10")?.print({ gfn: 255 }), "gfn ff");
  assertEquals(event.format("4.19")?.source, "gfn %x{gfn}");
  assertEquals(event.format("6.12"), undefined);
});

Deno.test("defineEvent() rejects a taken name, too many slots and malformed formats", () => {
  assertThrows(() => defineEvent("kvmmmu", MARK_MMIO_SPTE.name, [], {}), RangeError, "the name is taken");
  const wide = ["a", "b", "c", "d", "e"].map(u64);
  assertThrows(() => defineEvent("probe", "test_wide", wide, {}), RangeError, "10 slots, at most 8");
  const make = (format: string) => () => defineEvent("probe", "test_bad", [num("gfn")], { "3.11": format });
  assertThrows(make("gfn %x{gpa}"), TypeError, "no value is named 'gpa'");
  assertThrows(make("gfn %q{gfn}"), TypeError, "a conversion is not known");
  assertThrows(make("gfn %s{gfn}"), TypeError, "it has no names");
});

Deno.test("eventSlots() undoes eventValues() and takes what is missing as 0", () => {
  const event = defineEvent("probe", "test_slots", [vcpu(), num("gfn"), u64("spte")], {});
  const values = eventValues(event, 3, [7, 0xe0000b5e, 0xfff00000], "3.11");
  assertEquals(values, { vcpu: 3, gfn: 7, spte: "0xfff00000e0000b5e" });
  assertEquals(eventSlots(event, values, "3.11"), { vcpu: 3, args: [7, 0xe0000b5e, 0xfff00000] });
  assertEquals(eventSlots(event, { gfn: 1 }, "3.11"), { vcpu: -1, args: [1, 0, 0] });
});
