import { assert, assertEquals } from "@std/assert";
import { Work, WORK_KINDS, WorkCounters } from "./work_counters.ts";

Deno.test("Work gives each kind of work a place of its own", () => {
  assertEquals(Object.values(Work), WORK_KINDS.map((_, index) => index));
  for (const { name, doc, weight } of WORK_KINDS) {
    assertEquals(WORK_KINDS[Work[name]].name, name);
    assert(doc.length > 0 && (weight === 0 || weight === 1));
  }
});

Deno.test("WorkCounters.units() is the weighted sum of all counts", () => {
  const counters = new WorkCounters();
  assertEquals(counters.units(), 0);
  counters.counts[Work.sptesVisited] += 512;
  counters.counts[Work.pagesZapped] += 2;
  counters.counts[Work.exits] += 1000;
  assertEquals(counters.units(), 514);
});

Deno.test("WorkCounters.toJSON() names the counts, and reset() clears them", () => {
  const counters = new WorkCounters();
  counters.counts[Work.wrapZaps] = 3;
  const json = counters.toJSON();
  assertEquals(json.wrapZaps, 3);
  assertEquals(Object.keys(json), WORK_KINDS.map(({ name }) => name));
  counters.reset();
  assertEquals(counters.toJSON().wrapZaps, 0);
  assertEquals(json.wrapZaps, 3);
});
