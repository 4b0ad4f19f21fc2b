import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DeadlockError, Execution, Lock, point, type Protocol, Srcu, Work, WORK_KINDS } from "@mmu-lab/protocol";
import type { CostModel } from "./cost_model.ts";
import { delay } from "./delay.ts";
import { simulate } from "./simulate.ts";
import type { Clock, TimedActor } from "./world.ts";

/** A spte visited costs a cycle, all else nothing. */
const COSTS = Object.fromEntries(
  WORK_KINDS.map(({ name }) => [name, name === "sptesVisited" ? 1 : 0]),
) as CostModel;
const HERE = point("here");

/** A world with one lock, in which actors note what they do and when. */
class Bench {
  readonly execution = new Execution();
  readonly lock = new Lock("mmu_lock", this.execution);
  readonly srcu = new Srcu("srcu", this.execution);
  readonly notes: string[] = [];

  work(cycles: number): void {
    this.execution.counters.counts[Work.sptesVisited] += cycles;
  }

  note(text: string, clock: Clock): void {
    this.notes.push(`${clock.now} ${text}`);
  }

  /** Sleeps, takes the lock, works under it, gives it back. */
  locker(name: string, sleep: number, hold: number, background = false): TimedActor {
    const start = (clock: Clock) => this.#locker(name, sleep, hold, clock);
    return { name, background, start };
  }

  *#locker(name: string, sleep: number, hold: number, clock: Clock): Protocol<void> {
    yield delay(sleep);
    yield this.lock.acquire;
    this.note(`${name} has it`, clock);
    this.work(hold);
    yield this.lock.release;
    this.note(`${name} is done`, clock);
  }

  simulate(actors: TimedActor[], until?: number) {
    const options = until === undefined ? { costs: COSTS } : { costs: COSTS, until };
    return simulate({ execution: this.execution, actors, locks: [this.lock] }, options);
  }
}

Deno.test("simulate() charges an actor for the work that it does, as soon as it is done", () => {
  const bench = new Bench();
  function* worker(clock: Clock): Protocol<void> {
    bench.note("begins", clock);
    bench.work(7);
    bench.note("worked", clock);
    yield HERE;
    bench.work(3);
    yield delay(100);
    bench.note("slept", clock);
  }
  const { cycles, steps, actors, completed } = bench.simulate([{ name: "worker", start: worker }]);
  assertEquals(bench.notes, ["0 begins", "7 worked", "110 slept"]);
  assertEquals([cycles, steps, completed], [110, 3, true]);
  const [{ clock, busy, waited, delayed, done }] = actors;
  assertEquals([clock, busy, waited, delayed, done], [110, 10, 0, 100, true]);
});

Deno.test("simulate() lets the earliest go first, and of equals the lowest number", () => {
  const bench = new Bench();
  const looker = (name: string, times: number[]) => ({
    name,
    start: function* (clock: Clock): Protocol<void> {
      for (const time of times) {
        yield delay(time);
        bench.note(name, clock);
      }
    },
  });
  bench.simulate([looker("A", [10, 10]), looker("B", [5, 5]), looker("C", [10])]);
  assertEquals(bench.notes, ["5 B", "10 A", "10 B", "10 C", "20 A"]);
});

Deno.test("simulate() gives a lock to whoever waits longest, at the time it is given back", () => {
  const bench = new Bench();
  const { locks, cycles } = bench.simulate([
    bench.locker("A", 30, 100),
    bench.locker("B", 0, 100),
    bench.locker("C", 20, 100),
  ]);
  assertEquals(bench.notes, [
    "0 B has it",
    "100 B is done",
    "100 C has it",
    "200 C is done",
    "200 A has it",
    "300 A is done",
  ]);
  assertEquals(cycles, 300);
  assertEquals(locks, [{
    name: "mmu_lock",
    acquisitions: 3,
    contended: 2,
    totalWait: 80 + 170,
    longestWait: 170,
    totalHold: 300,
    longestHold: 100,
  }]);
});

Deno.test("simulate() lets those in together who take a lock to read, and a writer when all are done", () => {
  const bench = new Bench();
  function* reader(name: string, hold: number, clock: Clock): Protocol<void> {
    yield bench.lock.acquireRead;
    bench.note(`${name} reads`, clock);
    bench.work(hold);
    yield bench.lock.releaseRead;
  }
  const { locks } = bench.simulate([
    { name: "A", start: (clock) => reader("A", 100, clock) },
    { name: "B", start: (clock) => reader("B", 60, clock) },
    bench.locker("C", 10, 50),
  ]);
  assertEquals(bench.notes, ["0 A reads", "0 B reads", "100 C has it", "150 C is done"]);
  const [{ acquisitions, contended, totalHold, longestHold }] = locks;
  assertEquals([acquisitions, contended, totalHold, longestHold], [3, 1, 150, 100]);
});

Deno.test("simulate() lets a waiter in at a lock break, before the one who breaks", () => {
  const bench = new Bench();
  function* zapper(clock: Clock): Protocol<void> {
    for (let batch = 0; batch < 3; batch++) {
      yield bench.lock.acquire;
      bench.note(`batch ${batch}`, clock);
      bench.work(10);
      yield bench.lock.release;
    }
  }
  const { locks } = bench.simulate([{ name: "zapper", start: zapper }, bench.locker("vCPU", 3, 5)]);
  assertEquals(bench.notes, ["0 batch 0", "10 vCPU has it", "15 vCPU is done", "15 batch 1", "25 batch 2"]);
  assertEquals([locks[0].longestWait, locks[0].longestHold], [7, 10]);
});

Deno.test("simulate() lets a grace period wait for its readers, and tells for how long", () => {
  const bench = new Bench();
  function* reader(): Protocol<void> {
    yield bench.srcu.readLock;
    bench.work(50);
    yield bench.srcu.readUnlock;
  }
  function* updater(clock: Clock): Protocol<void> {
    yield delay(20);
    yield* bench.srcu.synchronize();
    bench.note("all have left", clock);
  }
  const { waits } = bench.simulate([{ name: "reader", start: reader }, { name: "updater", start: updater }]);
  assertEquals(bench.notes, ["50 all have left"]);
  assertEquals(waits, [{ name: "wait for readers of srcu", count: 1, total: 30, longest: 30 }]);
});

Deno.test("simulate() ends with the last actor that is not in the background", () => {
  const bench = new Bench();
  function* forever(): Protocol<void> {
    for (;;) {
      yield delay(7);
      bench.work(1);
    }
  }
  const { completed, cycles, actors } = bench.simulate([
    { name: "sweeper", background: true, start: forever },
    bench.locker("A", 80, 20),
  ]);
  assertEquals([completed, cycles], [true, 100]);
  assertEquals(actors.map(({ done }) => done), [false, true]);
});

Deno.test("simulate() stops when it is told to", () => {
  const bench = new Bench();
  const { completed, cycles, actors } = bench.simulate([bench.locker("A", 10, 10), bench.locker("B", 500, 1)], 100);
  assertEquals([completed, cycles, actors.map(({ done }) => done)], [false, 100, [true, false]]);
});

Deno.test("simulate() keeps what each actor records, and all of it together", () => {
  const bench = new Bench();
  const recorder = (cycles: number) =>
    function* (clock: Clock): Protocol<void> {
      yield HERE;
      const begun = clock.now;
      bench.work(cycles);
      clock.record("work", clock.now - begun);
    };
  const { operations, actors } = bench.simulate([{ name: "A", start: recorder(3) }, { name: "B", start: recorder(9) }]);
  assertEquals([operations["work"].count, operations["work"].sum, operations["work"].max], [2, 12, 9]);
  assertEquals(actors.map((actor) => actor.operations["work"].max), [3, 9]);
});

Deno.test("simulate() throws when everybody waits", () => {
  const bench = new Bench();
  function* keeper(): Protocol<void> {
    yield bench.lock.acquire;
  }
  const actors = [{ name: "keeper", start: keeper }, bench.locker("A", 10, 10)];
  const error = assertThrows(() => bench.simulate(actors), DeadlockError);
  assertEquals([error.actor, error.step], [1, "acquire mmu_lock"]);
});

Deno.test("simulate() gives up when steps take no time for ever", () => {
  function* spinner(): Protocol<void> {
    for (;;) yield HERE;
  }
  assertThrows(() => new Bench().simulate([{ name: "spinner", start: spinner }]), Error, "took no time");
});

Deno.test("simulate() lets an actor's error through", () => {
  const bench = new Bench();
  // deno-lint-ignore require-yield
  function* fails(): Protocol<void> {
    throw new TypeError("oops");
  }
  assertThrows(() => bench.simulate([{ name: "A", start: fails }]), TypeError, "oops");
});

Deno.test("simulate() says the same twice, accounts for all time, and never lets two hold a lock", () => {
  const lockers = fc.array(fc.tuple(fc.nat(50), fc.nat(20)), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(lockers, (specs) => {
    const [first, again] = [new Bench(), new Bench()].map((bench) => {
      const report = bench.simulate(specs.map(([sleep, hold], i) => bench.locker(`${i}`, sleep, hold)));
      return { report, notes: bench.notes };
    });
    assertEquals(first.notes, again.notes);
    assertEquals(JSON.stringify(first.report), JSON.stringify(again.report));
    for (const { clock, busy, waited, delayed } of first.report.actors) assertEquals(clock, busy + waited + delayed);
    // A queue has a closed form: each begins when it has come and the one before is done.
    const order = [...specs.keys()].sort((a, b) => specs[a][0] - specs[b][0] || a - b);
    let free = 0;
    for (const actor of order) {
      const [sleep, hold] = specs[actor];
      free = Math.max(free, sleep) + hold;
      assertEquals(first.report.actors[actor].clock, free);
    }
    assert(first.report.locks[0].totalHold === specs.reduce((sum, [, hold]) => sum + hold, 0));
  }));
});
