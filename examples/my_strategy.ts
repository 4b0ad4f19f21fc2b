/**
 * A strategy of your own: a number that only new memory bumps. A delete, or a flags change such as dirty logging, never
 * makes an MMIO spte wrong, so devices keep their fast path through it.
 */
import type { InvalidationStrategy } from "@mmu-lab/invalidation";

const NEVER = 0x7fffe; // what an spte made while slots change stores: it is never current
const LAST = 0x7fffc;

export default function newMemoryBumps(): InvalidationStrategy {
  const state = { number: 0, inFlux: false };
  return {
    name: "newMemoryBumps",
    maxGeneration: NEVER,
    stamp: () => state.inFlux ? NEVER : state.number,
    isCurrent: (stored) => !state.inFlux && stored === state.number,
    hashInto: (hasher) => void hasher.add(state.number).add(state.inFlux ? 1 : 0),
    *onMemslotUpdate(phase, change, mmu) {
      if (change.intermediate || (change.kind !== "create" && change.kind !== "move")) return;
      if (phase === "publishing") {
        state.inFlux = true;
        if (state.number === LAST) yield* mmu.zapAll(); // no old spte may live to see its number again
      } else if (phase === "published") {
        state.number = state.number === LAST ? 0 : state.number + 2; // from 3.17 on bit 0 is not stored
        state.inFlux = false;
      }
    },
  };
}
