import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { formatReport, formatStory } from "./format_report.ts";
import { explore } from "./explore.ts";
import { replay } from "./replay.ts";
import { counterWorld } from "./testdata/toy_worlds.ts";

Deno.test("replay() tells each step, and stops where the schedule ends", () => {
  const { steps, done, violation } = replay(counterWorld(2, true), "ab");
  assertEquals(steps.map(({ actor, step }) => `${actor}: ${step}`), ["actor 0: begin", "actor 1: begin"]);
  assertEquals(done, false);
  assertEquals(violation, undefined);
});

Deno.test("replay() refuses a schedule that cannot be followed", () => {
  assertThrows(() => replay(counterWorld(2, true), "a2b2"), RangeError, "it waits at 'acquire lock'");
  assertThrows(() => replay(counterWorld(2, true), "a5"), RangeError, "it is done");
});

Deno.test("formatStory() numbers the steps and ends with what went wrong", () => {
  const factory = counterWorld(2, false);
  const report = explore(factory);
  const story = formatStory(replay(factory, report.violation!.schedule));
  assertStringIncludes(story, "   1. actor 0  begin");
  assertStringIncludes(story, "an update was lost");
  assertStringIncludes(formatReport(report), `schedule   ${report.violation!.schedule} (`);
});

Deno.test("formatReport() says whether every interleaving was covered", () => {
  assertStringIncludes(formatReport(explore(counterWorld(2, true))), "sound within bounds (every interleaving)");
  const bounded = formatReport(explore(counterWorld(2, true), { preemptions: 0 }));
  assertStringIncludes(bounded, "sound within bounds (not every interleaving)");
});
