import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { reads } from "@mmu-lab/protocol";
import { auditTouches } from "./audit_touches.ts";
import { counterWorld, readersWorld } from "./testdata/toy_worlds.ts";
import type { WorldFactory } from "./world.ts";

Deno.test("auditTouches() finds nothing in worlds that say what they touch", () => {
  const { pairs, mismatch } = auditTouches(readersWorld(2), 100, 1);
  assertEquals(mismatch, undefined);
  assert(pairs > 10);
});

Deno.test("auditTouches() has nothing to compare where every step touches everything", () => {
  assertEquals(auditTouches(counterWorld(3, true), 50, 1), { pairs: 0 });
});

Deno.test("auditTouches() notices a step that says too little", () => {
  const boastful: WorldFactory = () => ({ ...counterWorld(2, false)(), saysWhatItTouches: () => true });
  const { mismatch } = auditTouches(boastful, 50, 1);
  assertStringIncludes(mismatch!.difference, "different hashes");
});

Deno.test("auditTouches() notices a lock that keeps another from going on", () => {
  const boastful: WorldFactory = () => {
    const world = counterWorld(2, true)();
    Object.defineProperty(world.execution, "touched", { get: () => reads(9), set: () => {} });
    return { ...world, saysWhatItTouches: () => true };
  };
  const { mismatch } = auditTouches(boastful, 50, 1);
  assertStringIncludes(mismatch!.difference, "from going on");
});
