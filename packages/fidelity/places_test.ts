import { assertEquals } from "@std/assert";
import { PROFILES, Vm } from "@mmu-lab/machine";
import { allEvents } from "@mmu-lab/tracing";
import { EventCollector } from "./event_collector.ts";
import { type Place, PlaceFinder } from "./places.ts";
import { showsFrames } from "./mask_frames.ts";

const HVA = 0x7f0000000000;

/** The places of events of a name, for a guest that has read one page of memory and one of a device. */
function placesIn(profile: string, name: string): (Place | undefined)[][] {
  const sink = new EventCollector();
  const vm = new Vm(PROFILES[profile], { trace: sink });
  const finder = new PlaceFinder(vm.mmu);
  sink.findPlaces = (event, args) => finder.placesOf(event, args);
  vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: HVA });
  vm.access(0, "read", 0x1000, 4);
  vm.access(0, "read", 0xd0000000, 4);
  return sink.records.filter(({ event }) => event.name === name).map(({ places }) => [...places]);
}

const table = (serial: number): Place => ({ kind: "table", serial });

Deno.test("PlaceFinder.placesOf() tells tables, memory and MMIO sptes apart in what the TDP MMU changes", () => {
  const changes = placesIn("linux_6_1_npt_tdp", "kvm_tdp_mmu_spte_changed");
  assertEquals(changes.slice(0, 4), [
    [undefined, table(1)],
    [undefined, table(2)],
    [undefined, table(3)],
    [undefined, { kind: "ram", pfn: 1, level: 1 }],
  ]);
  assertEquals(changes.at(-1), [undefined, undefined]);
});

Deno.test("PlaceFinder.placesOf() tells tables and memory apart by the level of the page that an entry lies in", () => {
  const sets = placesIn("linux_3_11_npt", "mmu_spte_set");
  assertEquals(sets[0], [table(0), table(1)]);
  assertEquals(sets[3], [table(3), { kind: "ram", pfn: 1, level: 1 }]);
  assertEquals(sets.at(-1)![1], undefined, "an MMIO spte");
});

Deno.test("PlaceFinder.placesOf() knows that a request for a gfn without a slot has no frame", () => {
  assertEquals(placesIn("linux_6_1_npt_tdp", "kvm_mmu_spte_requested"), [
    [{ kind: "ram", pfn: 1, level: 1 }],
    [undefined],
  ]);
});

Deno.test("PlaceFinder.placesOf() has as many places as the text of the event has frames, for every event", () => {
  const { mmu } = new Vm(PROFILES.linux_6_1_npt_tdp);
  const finder = new PlaceFinder(mmu);
  for (const event of allEvents()) {
    const places = finder.placesOf(event, new Array(event.slots).fill(0));
    assertEquals(places.length > 0, showsFrames(event.name), event.name);
  }
});
