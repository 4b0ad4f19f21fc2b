import { assert, assertEquals } from "@std/assert";
import { pctScheduler } from "./pct_scheduler.ts";
import { randomScheduler } from "./random_scheduler.ts";
import { replay } from "./replay.ts";
import { roundRobinScheduler } from "./round_robin_scheduler.ts";
import { sample } from "./sample.ts";
import { counterWorld } from "./testdata/toy_worlds.ts";

for (const scheduler of [randomScheduler(7), pctScheduler({ seed: 7, depth: 2, steps: 6 }), roundRobinScheduler()]) {
  Deno.test(`sample() finds a lost update with ${scheduler.name}, and its schedule replays`, () => {
    const report = sample(counterWorld(2, false), scheduler, 100);
    assertEquals(report.verdict, "unsound");
    assertEquals(replay(counterWorld(2, false), report.violation!.schedule).violation, report.violation!.message);
  });

  Deno.test(`sample() with ${scheduler.name} never calls a world sound: it has not seen everything`, () => {
    const report = sample(counterWorld(2, true), scheduler, 20);
    assertEquals(report.verdict, "budget exhausted");
    assertEquals(report.exhaustive, false);
    assertEquals(report.runs, 20);
  });

  Deno.test(`sample() with ${scheduler.name} tries the same schedules each time`, () => {
    const first = sample(counterWorld(3, true), scheduler, 5);
    assertEquals(sample(counterWorld(3, true), scheduler, 5), first);
    assert(first.steps > 0);
  });
}
