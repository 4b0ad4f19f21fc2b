import type { Gfn, MemslotsView } from "@mmu-lab/memslots";
import { seededRandom, Work } from "@mmu-lab/protocol";
import type { ConformanceWorld } from "./conformance_world.ts";
import { runBesideFlatMap } from "./_flat_map.ts";

/** One case of the conformance suite. */
export interface ConformanceCase {
  /** What holds, in words; skips name it. */
  readonly name: string;
  /** The clause of the contract (`strategy.ts`) that it checks. */
  readonly clause: string;
  /** Tries it in a world without slots; throws if it does not hold. */
  readonly run: (world: ConformanceWorld) => void;
}

const RANGE = "maxGeneration: the largest generation it will ever stamp";
const PURE = "stamp and isCurrent must not change anything";
const ANY_MOMENT = "isCurrent is called at any moment, also in the middle of an update";
const SOUND = "when an update's last phase is over, no MMIO spte that the change made wrong may be current";
const PROGRESS = "with no update running, an MMIO access is answered by its spte from the second one on";
const LOCKS = "hooks and sweeps give back the locks that they take";

const DEVICE: Gfn = 0xd0;
/** A slot far from everything else, to update without touching anything. */
const ELSEWHERE: Gfn = 0x10;
const SEED = 2013;
const RANDOM_OPERATIONS = 2000;

/** The cases of {@linkcode testStrategy}, in order. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  { name: "a stamp is an integer from 0 to maxGeneration", clause: RANGE, run: stampsInRange },
  { name: "stamp and isCurrent are pure", clause: PURE, run: pure },
  { name: "stamp and isCurrent bear an update in progress", clause: ANY_MOMENT, run: bearUpdateInProgress },
  { name: "a page hits again while nothing changes", clause: PROGRESS, run: hitsAgain },
  { name: "every page hits from the second access on", clause: PROGRESS, run: everyPageHits },
  { name: "a touched page is RAM after a create over it", clause: SOUND, run: createOverOne },
  { name: "many touched pages are RAM after a create over them", clause: SOUND, run: createOverMany },
  { name: "the neighbours of a new slot stay MMIO", clause: SOUND, run: neighbours },
  { name: "RAM is MMIO after a delete", clause: SOUND, run: deleted },
  { name: "a touched page is RAM after a move over it", clause: SOUND, run: movedOver },
  { name: "RAM is MMIO after a move away", clause: SOUND, run: movedAway },
  { name: "a change of flags changes no answer", clause: SOUND, run: flagsChanged },
  { name: "updates elsewhere change no answer", clause: SOUND, run: updatesElsewhere },
  { name: "no page is MMIO again when the number comes round", clause: SOUND, run: (world) => comesRound(world, 0) },
  { name: "nor when sweeps come seldom", clause: SOUND, run: (world) => comesRound(world, 5) },
  { name: "nor when sweeps come often", clause: SOUND, run: (world) => comesRound(world, 1) },
  { name: "sweeps change no answer", clause: SOUND, run: sweepsChangeNothing },
  { name: "all locks are free after every update and sweep", clause: LOCKS, run: locksAreFree },
  { name: "random operations agree with a flat map", clause: SOUND, run: randomOperations },
];

function expect(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

function expectAnswer(world: ConformanceWorld, gfn: Gfn, expected: "ram" | "mmio", when: string): void {
  const answer = world.access(gfn);
  expect(answer === expected, `gfn 0x${gfn.toString(16)} is ${expected} and was answered as ${answer} ${when}`);
}

/** Views that a strategy may meet: those of the world as it is, and made-up ones up to and over the largest number. */
function* views(world: ConformanceWorld): Generator<MemslotsView> {
  const { maxGeneration } = world.strategy;
  const { generation } = world.view;
  const far = [0, 1, 2, 3, 7, 1000, maxGeneration - 1, maxGeneration, maxGeneration + 1, 2 * maxGeneration + 3];
  for (const distance of far) {
    for (const updateInProgress of [false, true]) {
      yield Object.freeze({ generation: generation + Math.max(0, distance), updateInProgress });
    }
  }
}

function stampsInRange(world: ConformanceWorld): void {
  const { strategy } = world;
  expect(
    Number.isInteger(strategy.maxGeneration) && strategy.maxGeneration >= 0,
    `maxGeneration is ${strategy.maxGeneration}`,
  );
  world.create(ELSEWHERE, 1, 1);
  for (let update = 0; update < 40; update++) {
    for (const view of [world.view, ...views(world)]) {
      const stamp = strategy.stamp(view, DEVICE + update);
      expect(
        Number.isInteger(stamp) && stamp >= 0 && stamp <= strategy.maxGeneration,
        `generation ${view.generation} was stamped as ${stamp}; maxGeneration is ${strategy.maxGeneration}`,
      );
    }
    world.flags(1);
  }
}

function pure(world: ConformanceWorld): void {
  const { strategy } = world;
  world.create(ELSEWHERE, 1, 1);
  expectAnswer(world, DEVICE, "mmio", "before any slot was there");
  const accesses = () => {
    const faults = world.counters.counts[Work.slowFaults];
    expectAnswer(world, DEVICE, "mmio", "without a slot");
    return world.counters.counts[Work.slowFaults] - faults;
  };
  const before = accesses();
  const ask = () =>
    [...views(world)].map((view) => {
      const stamp = strategy.stamp(view, DEVICE);
      return `${stamp} ${strategy.isCurrent(stamp, view, DEVICE)} ${strategy.isCurrent(stamp, world.view, DEVICE)}`;
    }).join();
  const first = ask();
  for (let i = 0; i < 3; i++) expect(ask() === first, "the same question got another answer");
  // A strategy may be so careful that every access is slow: questions must not make it worse.
  expect(accesses() <= before, "questions made an spte stale");
}

function bearUpdateInProgress(world: ConformanceWorld): void {
  const { strategy } = world;
  for (const view of views(world)) {
    for (const stored of [0, strategy.maxGeneration, strategy.stamp(view, DEVICE)]) {
      const current = strategy.isCurrent(stored, { ...view, updateInProgress: true }, DEVICE);
      expect(typeof current === "boolean", `isCurrent returned ${current}`);
    }
  }
}

function hitsAgain(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 1, 1);
  expectAnswer(world, DEVICE, "mmio", "at the first access");
  const faults = world.counters.counts[Work.slowFaults];
  for (let i = 2; i <= 10; i++) expectAnswer(world, DEVICE, "mmio", `at access ${i}`);
  const more = world.counters.counts[Work.slowFaults] - faults;
  expect(more === 0, `9 more accesses without an update took ${more} slow faults`);
}

function everyPageHits(world: ConformanceWorld): void {
  const pages = 40;
  world.create(ELSEWHERE, 1, 1);
  for (let update = 0; update < 20; update++) {
    for (let i = 0; i < pages; i++) expectAnswer(world, DEVICE + i, "mmio", `after update ${update}`);
    const faults = world.counters.counts[Work.slowFaults];
    for (let i = 0; i < pages; i++) expectAnswer(world, DEVICE + i, "mmio", `again after update ${update}`);
    const more = world.counters.counts[Work.slowFaults] - faults;
    expect(more === 0, `after update ${update} the second access to ${pages} pages took ${more} slow faults`);
    world.flags(1);
  }
}

function createOverOne(world: ConformanceWorld): void {
  expectAnswer(world, DEVICE, "mmio", "before any slot was there");
  world.create(DEVICE, 1, 0);
  expectAnswer(world, DEVICE, "ram", "after a create over it");
  expectAnswer(world, DEVICE, "ram", "after a create over it, again");
}

function createOverMany(world: ConformanceWorld): void {
  for (let i = 0; i < 40; i++) expectAnswer(world, DEVICE + i, "mmio", "before any slot was there");
  world.create(DEVICE, 40, 0);
  for (let i = 0; i < 40; i++) expectAnswer(world, DEVICE + i, "ram", "after a create over it and its neighbours");
}

function neighbours(world: ConformanceWorld): void {
  for (let i = -1; i <= 4; i++) expectAnswer(world, DEVICE + i, "mmio", "before any slot was there");
  world.create(DEVICE, 4, 0);
  expectAnswer(world, DEVICE - 1, "mmio", "just below a new slot");
  expectAnswer(world, DEVICE + 4, "mmio", "just above a new slot");
}

function deleted(world: ConformanceWorld): void {
  world.create(DEVICE, 4, 0);
  for (let i = 0; i < 4; i++) expectAnswer(world, DEVICE + i, "ram", "in a slot");
  world.delete(0);
  for (let i = 0; i < 4; i++) expectAnswer(world, DEVICE + i, "mmio", "after its slot was deleted");
  world.create(DEVICE, 2, 0);
  expectAnswer(world, DEVICE + 2, "mmio", "after a smaller slot took the place of a deleted one");
}

function movedOver(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 4, 0);
  for (let i = 0; i < 4; i++) expectAnswer(world, DEVICE + i, "mmio", "before a slot moved there");
  world.move(0, DEVICE);
  for (let i = 0; i < 4; i++) expectAnswer(world, DEVICE + i, "ram", "after a slot moved there");
}

function movedAway(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 4, 0);
  for (let i = 0; i < 4; i++) expectAnswer(world, ELSEWHERE + i, "ram", "in a slot");
  world.move(0, DEVICE);
  for (let i = 0; i < 4; i++) expectAnswer(world, ELSEWHERE + i, "mmio", "after its slot moved away");
}

function flagsChanged(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 4, 0);
  for (let update = 0; update < 40; update++) {
    expectAnswer(world, ELSEWHERE, "ram", `after ${update} changes of flags`);
    expectAnswer(world, ELSEWHERE + 4, "mmio", `after ${update} changes of flags`);
    world.flags(0);
  }
}

function updatesElsewhere(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 4, 0);
  for (let update = 0; update < 20; update++) {
    world.create(0x400, 1 + update, 1);
    expectAnswer(world, ELSEWHERE, "ram", "after a create elsewhere");
    expectAnswer(world, DEVICE, "mmio", "after a create elsewhere");
    world.move(1, 0x500);
    expectAnswer(world, DEVICE, "mmio", "after a move elsewhere");
    world.delete(1);
    expectAnswer(world, DEVICE, "mmio", "after a delete elsewhere");
  }
}

/**
 * Touches pages, makes them RAM, and looks at each when a certain number of generations has gone by: all distances from
 * eight short of a whole cycle to eight beyond.
 */
function comesRound(world: ConformanceWorld, updatesPerSweep: number): void {
  const cycle = world.strategy.maxGeneration + 1;
  /** A page for each distance, in shadow pages of their own: looking at one must not refresh the others. */
  const page = (i: number) => 0x1000 + 8 * i;
  world.create(ELSEWHERE, 1, 1);
  for (let i = 0; i <= 16; i++) expectAnswer(world, page(i), "mmio", "before any slot was there");
  const start = world.view.generation;
  world.create(0x1000, 8 * 17, 0);
  let next = 0;
  for (let update = 1; next <= 16; update++) {
    const elapsed = Math.abs(world.view.generation - start);
    while (next <= 16 && elapsed >= cycle - 8 + next) {
      expectAnswer(world, page(next++), "ram", `${elapsed} generations after it was touched; a cycle is ${cycle}`);
    }
    world.flags(1);
    if (updatesPerSweep > 0 && update % updatesPerSweep === 0) world.sweep();
  }
}

function sweepsChangeNothing(world: ConformanceWorld): void {
  world.create(ELSEWHERE, 4, 0);
  for (let i = 0; i < 60; i++) {
    world.sweep();
    expectAnswer(world, DEVICE + (i % 20), "mmio", "after a sweep");
    expectAnswer(world, ELSEWHERE + (i % 4), "ram", "after a sweep");
    if (i % 7 === 0) world.flags(0);
  }
  world.create(DEVICE, 20, 1);
  world.sweep();
  for (let i = 0; i < 20; i++) expectAnswer(world, DEVICE + i, "ram", "after a create over it and a sweep");
}

function locksAreFree(world: ConformanceWorld): void {
  const after = (what: string, act: () => void) => {
    act();
    expect(world.lockFree, `a lock is held after a ${what}`);
  };
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) world.access(DEVICE + 8 * i);
    after("create", () => world.create(DEVICE, 4, 0));
    after("sweep", () => world.sweep());
    after("change of flags", () => world.flags(0));
    after("move", () => world.move(0, ELSEWHERE));
    after("sweep", () => world.sweep());
    after("delete", () => world.delete(0));
  }
}

function randomOperations(world: ConformanceWorld): void {
  const disagreement = runBesideFlatMap(world, seededRandom(SEED), RANDOM_OPERATIONS);
  expect(disagreement === undefined, `seed ${SEED}: ${disagreement}`);
}
