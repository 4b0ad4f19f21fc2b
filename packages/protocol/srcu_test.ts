import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Execution } from "./execution.ts";
import { run } from "./run.ts";
import { Srcu } from "./srcu.ts";
import type { Step } from "./step.ts";
import { Work } from "./work_counters.ts";

/** Begins to wait for a grace period; returns the step that ends with it. */
function startWaiting(srcu: Srcu): Step {
  const { value } = srcu.synchronize().next();
  return value as Step;
}

Deno.test("Srcu.synchronize() does not wait when nobody reads", () => {
  const execution = new Execution();
  run(execution, new Srcu("kvm->srcu", execution).synchronize());
  assertEquals(execution.counters.counts[Work.gracePeriods], 1);
});

Deno.test("Srcu.synchronize() waits for a section that began before it", () => {
  const srcu = new Srcu("kvm->srcu", new Execution());
  srcu.readLock.take(1);
  assert(srcu.isReading(1));
  const wait = startWaiting(srcu);
  assertEquals(wait.name, "wait for readers of kvm->srcu");
  assert(!wait.enabled(0));
  srcu.readUnlock.take(1);
  assert(!srcu.isReading(1));
  assert(wait.enabled(0));
});

Deno.test("Srcu.synchronize() does not wait for a section that began after it", () => {
  const srcu = new Srcu("kvm->srcu", new Execution());
  srcu.readLock.take(1);
  const wait = startWaiting(srcu);
  srcu.readLock.take(2);
  srcu.readUnlock.take(1);
  assert(wait.enabled(0));
});

Deno.test("Srcu.readLock throws inside a section, and readUnlock outside of one", () => {
  const srcu = new Srcu("kvm->srcu", new Execution());
  assertThrows(() => srcu.readUnlock.take(1), Error, "actor 1 is not inside one");
  srcu.readLock.take(1);
  assertThrows(() => srcu.readLock.take(1), Error, "actor 1 is inside one");
});

Deno.test("Srcu.synchronize() waits for exactly the sections that were open when it began", () => {
  const actors = fc.integer({ min: 0, max: 4 });
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom("toggle", "synchronize"), actors)), (operations) => {
    const srcu = new Srcu("kvm->srcu", new Execution());
    const reading = new Set<number>();
    /** The grace period that is waited for, and who it waits for. One updater at a time, as under slots_lock. */
    let waiting: { step: Step; readers: Set<number> } | undefined;
    for (const [operation, actor] of operations) {
      if (operation === "toggle" && reading.delete(actor)) {
        srcu.readUnlock.take(actor);
        waiting?.readers.delete(actor);
      } else if (operation === "toggle") {
        reading.add(actor);
        srcu.readLock.take(actor);
      } else {
        waiting ??= { step: startWaiting(srcu), readers: new Set(reading) };
      }
      if (waiting === undefined) continue;
      assertEquals(waiting.step.enabled(99), waiting.readers.size === 0);
      for (const each of reading) assertEquals(srcu.isWaitedFor(each), waiting.readers.has(each));
      if (waiting.readers.size === 0) waiting = undefined;
    }
  }));
});
