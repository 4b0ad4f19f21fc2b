/**
 * Memslot updates, a background sweep, and a vCPU that makes MMIO sptes, interleaved at random: does an entry become
 * current again after its number has passed?
 *
 * @module
 */
import { type GenerationRule, Memslots } from "@mmu-lab/memslots";
import { Execution, Lock, point, type Protocol, seededRandom, type Step } from "@mmu-lab/protocol";
import { ReferenceTables } from "../reference_tables.ts";
import type { InvalidationStrategy, MemslotChange } from "../strategy.ts";

const PUBLISH = point("publish");
const COMPLETE = point("complete");
/** Entries that the vCPU makes: two in each of six tables. */
const TABLES = 6;

/** A generation rule that moves by `step` a publication, and marks updates in progress as told. */
export function ruleOfStep(step: number, inProgress: GenerationRule["inProgress"]): GenerationRule {
  const publishStep = { unmarked: step, flag: 0, odd: 1 }[inProgress];
  return { start: () => 0, publishStep, completeStep: step - publishStep, inProgress, addressSpaces: 1 };
}

/**
 * Runs random interleavings.
 *
 * @param strategy The strategy. @param rule How the generation moves. @param seed Where randomness starts. @param steps
 * How many steps of actors.
 * @returns The first entry that is trusted under another generation than it was made in; `undefined` if none.
 */
export function findResurrection(
  strategy: InvalidationStrategy,
  rule: GenerationRule,
  seed: number,
  steps: number,
): string | undefined {
  const world = new World(strategy, rule, seed);
  for (let step = 0; step < steps; step++) {
    world.step();
    const trusted = world.wronglyTrusted();
    if (trusted !== undefined) return `step ${step}: ${trusted}`;
  }
  return undefined;
}

interface Actor {
  readonly begin: () => Protocol<void>;
  running: Protocol<void> | undefined;
  waitsAt: Step | undefined;
}

class World {
  readonly #execution: Execution = new Execution();
  readonly #lock: Lock = new Lock("mmu_lock", this.#execution);
  readonly #tables: ReferenceTables = new ReferenceTables(this.#lock, this.#execution.counters);
  readonly #memslots: Memslots;
  readonly #random: (below: number) => number;
  /** The full generation in which each entry was made; entries made in flux, which may be distrusted, are left out. */
  readonly #madeIn: Map<number, number> = new Map();
  readonly #actors: Actor[];

  constructor(readonly strategy: InvalidationStrategy, rule: GenerationRule, seed: number) {
    this.#memslots = new Memslots(0, rule);
    this.#random = seededRandom(seed);
    const begins = [() => this.#update(), () => this.#touch(), () => strategy.sweep!(this.#tables)];
    this.#actors = begins.map((begin) => ({ begin, running: undefined, waitsAt: undefined }));
  }

  /** Lets a random actor take one step, unless it has to wait. */
  step(): void {
    const number = this.#random(this.#actors.length);
    const actor = this.#actors[number];
    actor.running ??= actor.begin();
    if (actor.waitsAt?.enabled(number) === false) return;
    this.#execution.actor = number;
    actor.waitsAt?.take(number);
    const { done, value } = actor.running.next();
    actor.waitsAt = done ? undefined : value;
    if (done) actor.running = undefined;
  }

  wronglyTrusted(): string | undefined {
    const { generation } = this.#memslots;
    for (const [gfn, madeIn] of this.#madeIn) {
      const stored = this.#tables.read(gfn);
      if (typeof stored !== "number" || madeIn === generation) continue;
      if (this.strategy.isCurrent(stored, this.#memslots, gfn)) return `gfn ${gfn} of ${madeIn} at ${generation}`;
    }
    return undefined;
  }

  *#update(): Protocol<void> {
    const generation = this.#memslots.nextGeneration;
    const change: MemslotChange = {
      kind: "flags",
      asId: 0,
      baseGfn: 0,
      npages: 1,
      generation,
      intermediate: false,
    };
    yield* this.strategy.onMemslotUpdate!("publishing", change, this.#tables);
    yield PUBLISH;
    this.#memslots.publish(this.#memslots.active);
    yield* this.strategy.onMemslotUpdate!("published", change, this.#tables);
    yield COMPLETE;
    this.#memslots.complete();
    yield* this.strategy.onMemslotUpdate!("completed", change, this.#tables);
    yield* this.strategy.onMemslotUpdate!("committed", change, this.#tables);
  }

  /** The vCPU: looks at an entry, and makes it anew if it is not current. */
  *#touch(): Protocol<void> {
    const gfn = 8 * this.#random(TABLES) + this.#random(2);
    const stored = this.#tables.read(gfn);
    if (typeof stored === "number" && this.strategy.isCurrent(stored, this.#memslots, gfn)) return;
    yield this.#lock.acquire;
    this.#tables.write(gfn, this.strategy.stamp(this.#memslots, gfn));
    if (this.#memslots.updateInProgress) this.#madeIn.delete(gfn);
    else this.#madeIn.set(gfn, this.#memslots.generation);
    yield this.#lock.release;
  }
}
