import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { explore } from "./explore.ts";
import { replay } from "./replay.ts";
import {
  counterWorld,
  FORGETFUL_WORLD,
  idleWorld,
  lockOrderWorld,
  readersWorld,
  restlessWorld,
} from "./testdata/toy_worlds.ts";

Deno.test("explore() finds a lost update with the one preemption that it needs", () => {
  const { verdict, violation, exhaustive } = explore(counterWorld(2, false));
  assertEquals(verdict, "unsound");
  assertEquals(exhaustive, false);
  assertEquals(violation?.preemptions, 1);
  assertEquals(violation?.message, "an update was lost: 1 of 2");
});

Deno.test("explore() finds an update that is lost because its lock is taken to read", () => {
  const { verdict, violation } = explore(counterWorld(2, "to-read"));
  assertEquals([verdict, violation?.message], ["unsound", "an update was lost: 1 of 2"]);
});

Deno.test("explore() covers every interleaving of a world that is sound", () => {
  for (const actors of [1, 2, 3]) {
    const report = explore(counterWorld(actors, true));
    assertEquals(report.verdict, "sound");
    assert(report.exhaustive);
  }
});

Deno.test("explore() meets each state once: actors that share nothing make a grid", () => {
  // Each actor is at one of 4 places: begin, two idle steps, done. Where all begin, and where all are done, is not counted.
  assertEquals(explore(idleWorld(1, 2, false)).states, 2);
  assertEquals(explore(idleWorld(2, 2, false)).states, 4 ** 2 - 2);
  assertEquals(explore(idleWorld(3, 2, false)).states, 4 ** 3 - 2);
});

Deno.test("explore() takes states for one in which interchangeable actors have changed places", () => {
  assertEquals(explore(idleWorld(2, 2, true)).states, (4 * 5) / 2 - 2);
  assertEquals(explore(idleWorld(3, 2, true)).states, (4 * 5 * 6) / 6 - 2);
});

Deno.test("explore() says that a preemption bound is no exhaustive search", () => {
  const none = explore(counterWorld(2, false), { preemptions: 0 });
  assertEquals(none.verdict, "sound");
  assertEquals(none.exhaustive, false);
  assertEquals(explore(counterWorld(2, false), { preemptions: 1 }).verdict, "unsound");
});

Deno.test("explore() gives up when its budget of states is used up, and says so", () => {
  const report = explore(idleWorld(3, 4, false), { maxStates: 20 });
  assertEquals(report.verdict, "budget exhausted");
  assertEquals(report.exhaustive, false);
});

Deno.test("explore() finds locks that are taken in both orders, before they deadlock", () => {
  assertEquals(explore(lockOrderWorld(false)).verdict, "sound");
  const { violation } = explore(lockOrderWorld(true));
  assertStringIncludes(violation!.message, "lock order: ");
});

Deno.test("explore() finds a lock that is held at exit", () => {
  assertStringIncludes(explore(FORGETFUL_WORLD).violation!.message, "actor 0 ends while it holds lock");
});

Deno.test("explore() gives a schedule that replays to the same violation", () => {
  for (const factory of [counterWorld(2, false), counterWorld(3, false), lockOrderWorld(true)]) {
    const { violation } = explore(factory);
    assertEquals(replay(factory, violation!.schedule).violation, violation!.message);
  }
});

Deno.test("explore() meets the same states, in fewer runs, where steps say what they touch", () => {
  for (const looks of [1, 2, 4]) {
    const every = explore(() => ({ ...readersWorld(looks)(), saysWhatItTouches: () => false }));
    const fewer = explore(readersWorld(looks));
    assertEquals(fewer.states, every.states);
    assert(fewer.runs < every.runs, `${fewer.runs} of ${every.runs} runs`);
  }
});

Deno.test("explore() finds that somebody may go round for ever beside an endless actor, and a schedule of the circle", () => {
  const { verdict, violation } = explore(restlessWorld(false));
  assertEquals(verdict, "unsound");
  assertStringIncludes(violation!.message, "livelock");
  assertEquals(replay(restlessWorld(false), violation!.schedule).violation, violation!.message);
  // A piece of the circle is none.
  assertEquals(replay(restlessWorld(false), "abab").violation, undefined);
});

Deno.test("explore() lets an endless actor be when everybody else ends", () => {
  const { verdict, exhaustive } = explore(restlessWorld(true));
  assertEquals([verdict, exhaustive], ["sound", true]);
});
