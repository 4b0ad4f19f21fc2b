/**
 * A strategy of your own: a number that only new memory bumps. A delete, or a flags change such as dirty logging, never
 * makes an MMIO spte wrong, so devices keep their fast path through it. Try it:
 * `deno task lab compare --workload wrap --strategies ./examples/my_strategy.ts,generation`
 */
import type { InvalidationStrategy } from "@mmu-lab/invalidation";

const LAST = 0x7fffe;

export default function newMemoryBumps(): InvalidationStrategy {
  let number = 0;
  let inFlux = false;
  return {
    name: "newMemoryBumps",
    maxGeneration: LAST,
    stamp: () => number,
    isCurrent: (stored) => !inFlux && stored === number,
    *onMemslotUpdate(phase, change, mmu) {
      if (change.intermediate || (change.kind !== "create" && change.kind !== "move")) return;
      if (phase === "publishing") inFlux = true;
      if (phase !== "published") return;
      // Whoever looked up the old memslots is done by now, so no spte made from them carries the next number.
      number = number === LAST ? 0 : number + 2; // kernels from 3.17 on do not store bit 0
      if (number === 0) yield* mmu.zapAll();
      inFlux = false;
    },
  };
}
