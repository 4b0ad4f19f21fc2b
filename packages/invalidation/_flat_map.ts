import type { Gfn } from "@mmu-lab/memslots";
import type { RandomBelow } from "@mmu-lab/protocol";
import type { ConformanceWorld } from "./conformance_world.ts";

const GFNS = 96;
const SLOTS = 8;
const LARGEST_SLOT = 6;
const OPERATIONS_SHOWN = 12;

interface FlatSlot {
  gfn: Gfn;
  npages: number;
}

/**
 * Runs random operations in a world, beside a flat map of its slots. Half of the accesses go where the last slot changed
 * or will change next: that is where mistakes show.
 *
 * @returns The first access that the two answer differently, with the operations before it; `undefined` if none.
 */
export function runBesideFlatMap(world: ConformanceWorld, random: RandomBelow, operations: number): string | undefined {
  const slots = new Map<number, FlatSlot>();
  const story: string[] = [];
  const did = (what: string) => {
    story.push(what);
    if (story.length > OPERATIONS_SHOWN) story.shift();
  };
  let focus = 0;
  for (let operation = 0; operation < operations; operation++) {
    const dice = random(20);
    if (dice < 14) {
      const gfn = dice < 7 ? random(GFNS) : focus + random(LARGEST_SLOT);
      const expected = isRam(slots, gfn) ? "ram" : "mmio";
      const answer = world.access(gfn);
      did(`access ${gfn}: ${answer}`);
      if (answer !== expected) return `operation ${operation} should be ${expected}: ${story.join("; ")}`;
    } else if (dice < 18) {
      did(change(world, slots, random, focus));
      if (random(2) === 0) focus = random(GFNS - LARGEST_SLOT);
    } else {
      world.sweep();
      did("sweep");
    }
  }
  return undefined;
}

/** One random memslot update, if the one that comes to mind is possible. */
function change(world: ConformanceWorld, slots: Map<number, FlatSlot>, random: RandomBelow, gfn: Gfn): string {
  const id = random(SLOTS);
  const slot = slots.get(id);
  if (slot === undefined) {
    const npages = 1 + random(LARGEST_SLOT);
    if (overlaps(slots, id, gfn, npages)) return "nothing";
    world.create(gfn, npages, id);
    slots.set(id, { gfn, npages });
    return `create ${id} at ${gfn}, ${npages} pages`;
  }
  const kind = random(4);
  if (kind === 0) {
    world.delete(id);
    slots.delete(id);
    return `delete ${id}`;
  }
  if (kind > 1 || gfn === slot.gfn || overlaps(slots, id, gfn, slot.npages)) {
    world.flags(id);
    return `flags ${id}`;
  }
  world.move(id, gfn);
  slot.gfn = gfn;
  return `move ${id} to ${gfn}`;
}

function overlaps(slots: ReadonlyMap<number, FlatSlot>, id: number, gfn: Gfn, npages: number): boolean {
  return [...slots].some(([other, slot]) => other !== id && gfn < slot.gfn + slot.npages && slot.gfn < gfn + npages);
}

function isRam(slots: ReadonlyMap<number, FlatSlot>, gfn: Gfn): boolean {
  return [...slots.values()].some((slot) => gfn >= slot.gfn && gfn < slot.gfn + slot.npages);
}
