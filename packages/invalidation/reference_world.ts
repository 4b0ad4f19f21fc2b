import {
  type ChangeKind,
  type Era,
  type Gfn,
  largePageLimits,
  type Memslot,
  Memslots,
  type MemslotSet,
  type UpdatePhase,
} from "@mmu-lab/memslots";
import { Execution, Lock, point, type Protocol, run, Srcu, Work, type WorkCounters } from "@mmu-lab/protocol";
import type { ConformanceWorld } from "./conformance_world.ts";
import { ReferenceTables } from "./reference_tables.ts";
import type { InvalidationStrategy, MemslotChange } from "./strategy.ts";

const VCPU = 0;
const UPDATER = 1;

const LOOK_AT_SPTE = point("look at the spte");
const LOOK_UP_SLOT = point("look up the memslot of the gfn");
const PUBLISH = point("publish the new memslots");
const COMPLETE = point("give the memslots their final generation");

/**
 * A world to test strategies in that is as small as it can be and still honest: one vCPU without caches, flat tables of
 * 8 entries, real locks, SRCU and memslots. Its {@linkcode MmuControl} asserts the lock where the contract asks for it.
 *
 * It is harder on a strategy than Linux 3.11: a delete or move zaps the slot's own mappings only, as the kernels with
 * the quirk of 6.12 turned off do (facts sheet 4.7), so that no MMIO spte goes by the way.
 *
 * @param strategy The strategy under test.
 * @param era How the generation moves.
 *
 * @example
 * ```ts
 * import { generation, referenceWorld } from "@mmu-lab/invalidation";
 * import { ERAS } from "@mmu-lab/memslots";
 * import { assertEquals } from "@std/assert";
 *
 * const world = referenceWorld(generation(), ERAS.G1);
 * assertEquals(world.access(0xd0), "mmio");
 * world.create(0xd0, 4, 0);
 * assertEquals(world.access(0xd0), "ram");
 * ```
 */
export function referenceWorld(strategy: InvalidationStrategy, era: Era): ConformanceWorld {
  return new ReferenceWorld(strategy, era);
}

class ReferenceWorld implements ConformanceWorld {
  readonly strategy: InvalidationStrategy;
  readonly #execution: Execution = new Execution();
  readonly #mmuLock: Lock = new Lock("mmu_lock", this.#execution);
  readonly #slotsLock: Lock = new Lock("slots_lock", this.#execution);
  readonly #srcu: Srcu = new Srcu("kvm->srcu", this.#execution);
  readonly #tables: ReferenceTables = new ReferenceTables(this.#mmuLock, this.#execution.counters);
  readonly #memslots: Memslots;

  constructor(strategy: InvalidationStrategy, era: Era) {
    this.strategy = strategy;
    this.#memslots = new Memslots(0, era.memslots);
  }

  get view(): Memslots {
    return this.#memslots;
  }

  get counters(): WorkCounters {
    return this.#execution.counters;
  }

  get lockFree(): boolean {
    return this.#mmuLock.owner === -1 && this.#slotsLock.owner === -1;
  }

  access(gfn: Gfn): "ram" | "mmio" {
    return run(this.#execution, this.#access(gfn), VCPU);
  }

  create(gfn: Gfn, npages: number, id: number): void {
    const userspaceAddr = id * 2 ** 30;
    const slot: Memslot = {
      asId: 0,
      id,
      baseGfn: gfn,
      npages,
      flags: 0,
      userspaceAddr,
      invalid: false,
      dirtyBitmap: null,
      largePageLimits: largePageLimits(gfn, npages, userspaceAddr),
    };
    run(this.#execution, this.#update("create", undefined, slot), UPDATER);
  }

  delete(id: number): void {
    run(this.#execution, this.#update("delete", this.#slot(id), undefined), UPDATER);
  }

  move(id: number, gfn: Gfn): void {
    const old = this.#slot(id);
    run(this.#execution, this.#update("move", old, { ...old, baseGfn: gfn }), UPDATER);
  }

  flags(id: number): void {
    const old = this.#slot(id);
    run(this.#execution, this.#update("flags", old, { ...old, flags: old.flags ^ 1 }), UPDATER);
  }

  sweep(): void {
    if (this.strategy.sweep !== undefined) run(this.#execution, this.strategy.sweep(this.#tables), UPDATER);
  }

  #slot(id: number): Memslot {
    const slot = this.#memslots.active.byId(id);
    if (slot === undefined) throw new RangeError(`Cannot change slot ${id}: there is none`);
    return slot;
  }

  /** A guest access: the spte answers if it may be trusted, else the memslots do and the spte is made anew. */
  *#access(gfn: Gfn): Protocol<"ram" | "mmio"> {
    const { counts } = this.counters;
    yield this.#srcu.readLock;
    yield LOOK_AT_SPTE;
    let answer = this.#lookAtSpte(gfn);
    if (answer === undefined) {
      counts[Work.slowFaults]++;
      yield LOOK_UP_SLOT;
      counts[Work.slotLookups]++;
      const slot = this.#memslots.active.find(gfn);
      answer = slot === undefined || slot.invalid ? "mmio" : "ram";
      yield this.#mmuLock.acquire;
      this.#tables.write(gfn, answer === "ram" ? "ram" : this.strategy.stamp(this.#memslots, gfn));
      yield this.#mmuLock.release;
    }
    yield this.#srcu.readUnlock;
    return answer;
  }

  #lookAtSpte(gfn: Gfn): "ram" | "mmio" | undefined {
    const { counts } = this.counters;
    const spte = this.#tables.read(gfn);
    if (typeof spte !== "number") return spte;
    if (this.strategy.isCurrent(spte, this.#memslots, gfn)) {
      counts[Work.mmioFastHits]++;
      return "mmio";
    }
    counts[Work.mmioRefaults]++;
    return undefined;
  }

  *#update(kind: Exclude<ChangeKind, "none">, old: Memslot | undefined, slot: Memslot | undefined): Protocol<void> {
    const { active } = this.#memslots;
    const { baseGfn, npages } = (slot ?? old)!;
    const change = { kind, asId: 0, baseGfn, npages };
    this.counters.counts[Work.memslotUpdates]++;
    yield this.#slotsLock.acquire;
    if (old !== undefined && kind !== "flags") {
      const intermediate = { ...change, intermediate: true };
      yield* this.#publish(active.with({ ...old, invalid: true }), intermediate);
      yield this.#mmuLock.acquire;
      this.#tables.zapRam(old.baseGfn, old.npages);
      yield this.#mmuLock.release;
      yield* this.#tell("flushing", { ...intermediate, generation: this.#memslots.generation });
    }
    const final = { ...change, intermediate: false };
    yield* this.#publish(slot === undefined ? active.without(old!.id) : active.with(slot), final);
    yield* this.#tell("committed", { ...final, generation: this.#memslots.generation });
    yield this.#slotsLock.release;
  }

  *#publish(set: MemslotSet, change: Omit<MemslotChange, "generation">): Protocol<void> {
    const described = { ...change, generation: this.#memslots.nextGeneration };
    yield* this.#tell("publishing", described);
    yield PUBLISH;
    this.#memslots.publish(set);
    yield* this.#srcu.synchronize();
    yield* this.#tell("published", described);
    yield COMPLETE;
    this.#memslots.complete();
    yield* this.#tell("completed", described);
  }

  *#tell(phase: UpdatePhase, change: MemslotChange): Protocol<void> {
    if (this.strategy.onMemslotUpdate !== undefined) {
      yield* this.strategy.onMemslotUpdate(phase, change, this.#tables);
    }
  }
}
