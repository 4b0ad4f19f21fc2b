import { type Protocol, StateHasher, type Step, TOUCHES_EVERYTHING, TOUCHES_NOTHING } from "@mmu-lab/protocol";
import type { World, WorldFactory } from "./world.ts";

/** What every run looks for, whatever the world. */
const EVERYWHERE = ["no error", "no deadlock", "locks in one order", "no lock kept at the end"] as const;

/** What is looked for in a world, by the run, by the search if somebody goes on for ever, and by the world. */
export function propertiesOf({ actors, properties = [] }: World): string[] {
  const circles = actors.some(({ endless }) => endless) ? ["no livelock"] : [];
  return [...properties, ...EVERYWHERE, ...circles];
}

/** One run of a world: the state after some steps, and what can happen next. */
export class Run {
  /** The world. */
  readonly world: World;
  /** Who took each step so far. */
  readonly choices: number[] = [];
  /** What the last step touched, with everything that followed it up to the next. */
  touched: number = TOUCHES_NOTHING;
  /** What is wrong, once something is; the run then goes no further. */
  violation: string | undefined;
  readonly #protocols: Protocol<unknown>[];
  /** The step each actor would take next; `undefined` once it is done. */
  readonly #pending: (Step | undefined)[];
  readonly #hasher = new StateHasher();
  /** By actor, what {@linkcode Run.stateHash} last folded of it. */
  #actorHashes: readonly number[] = [];
  /** Locks that were taken while another was held: `held > taken` by name. */
  readonly #lockOrder: Set<string> = new Set();

  /**
   * Begins a run.
   *
   * @param factory Makes the world.
   */
  constructor(factory: WorldFactory) {
    this.world = factory();
    const { actors, execution } = this.world;
    execution.keepObservations(actors.length);
    this.#protocols = actors.map((actor) => actor.start());
    this.#pending = actors.map(() => BEGIN);
  }

  /** Whether every actor is done, but for those that are never. */
  get done(): boolean {
    const { actors } = this.world;
    return this.#pending.every((step, actor) => step === undefined || actors[actor].endless === true);
  }

  /** Whether an actor can take its next step now. */
  isEnabled(actor: number): boolean {
    return this.#pending[actor]?.enabled(actor) ?? false;
  }

  /** The actors that can go on, lowest first; adds them to `into`. */
  enabled(into: number[] = []): number[] {
    for (let actor = 0; actor < this.#pending.length; actor++) {
      if (this.isEnabled(actor)) into.push(actor);
    }
    return into;
  }

  /**
   * Lets an actor take its next step, everything atomic that follows it, and the steps that join it.
   *
   * @param onStep Called for each step that is taken, with its name.
   * @throws {RangeError} If the actor cannot go on now.
   */
  advance(actor: number, onStep?: (step: string) => void): void {
    if (!this.isEnabled(actor)) {
      const step = this.#pending[actor];
      const why = step === undefined ? "it is done" : `it waits at '${step.name}'`;
      throw new RangeError(`Cannot let actor ${actor} take step ${this.choices.length + 1}: ${why}`);
    }
    const { execution } = this.world;
    execution.actor = actor;
    execution.touched = TOUCHES_NOTHING;
    this.choices.push(actor);
    for (;;) {
      const step = this.#pending[actor]!;
      const before = execution.touched;
      execution.touched = TOUCHES_NOTHING;
      this.#take(actor, step);
      execution.touched |= before;
      onStep?.(step.name);
      const next = this.#pending[actor];
      if (step.joins === "after") execution.touched |= next?.touches ?? TOUCHES_NOTHING;
      const joined = next !== undefined && (step.joins === "after" || next.joins === "before") && next.enabled(actor);
      if (this.violation !== undefined || !joined) break;
    }
    this.touched = this.world.saysWhatItTouches?.(actor) ? execution.touched : TOUCHES_EVERYTHING;
    this.violation ??= this.#endViolation();
  }

  /** A step that joins what comes before it is followed by nothing that others could see. */
  #checkJoin(actor: number, step: Step): void {
    const touched = this.world.execution.touched & ~(step.touches ?? TOUCHES_NOTHING);
    if (touched === TOUCHES_NOTHING || !this.world.saysWhatItTouches?.(actor)) return;
    const who = this.world.actors[actor].name;
    this.violation ??= `joined step: after '${step.name}', ${who} touches what others share before its next step`;
  }

  #take(actor: number, step: Step): void {
    try {
      step.take(actor);
      this.world.execution.touched |= step.touches ?? TOUCHES_NOTHING;
      this.world.execution.observe(hashName(step.name));
      const { done, value } = this.#protocols[actor].next();
      this.#pending[actor] = done ? undefined : value as Step;
      if (step.joins === "before") this.#checkJoin(actor, step);
    } catch (error) {
      this.violation = error instanceof Error ? error.message : String(error);
      return;
    }
    this.violation ??= this.world.violation() ?? this.#lockViolation(actor, step);
  }

  /**
   * A number that is equal for runs that cannot be told apart from here on: shared state, what each actor waits for, and
   * what each has observed.
   *
   * @param swap Whether runs count as equal in which interchangeable actors have changed places.
   */
  stateHash(swap: boolean): number {
    const interchangeable = swap ? this.world.interchangeable ?? [] : [];
    const hasher = this.#hasher;
    const hashes = this.#actorHashes = this.#pending.map((_, actor) => this.#hashActor(actor));
    hasher.reset();
    this.world.hashInto(hasher);
    hashes.forEach((hash, actor) => {
      if (!interchangeable.includes(actor)) hasher.add(hash);
    });
    // Sorted, so that it does not matter which of them is where.
    for (const hash of interchangeable.map((actor) => hashes[actor]).sort((a, b) => a - b)) hasher.add(hash);
    return hasher.value;
  }

  /**
   * Where each actor stands in the state that {@linkcode Run.stateHash} last saw with `swap`: interchangeable actors by
   * their own state instead of their number, so that actors of two runs with equal hashes correspond.
   */
  places(): number[] {
    const interchangeable = this.world.interchangeable ?? [];
    const sorted = [...interchangeable].sort((a, b) => this.#actorHashes[a] - this.#actorHashes[b] || a - b);
    return this.#pending.map((_, actor) => {
      const at = sorted.indexOf(actor);
      return at < 0 ? actor : interchangeable[at];
    });
  }

  /** What belongs to one actor: what it waits for, what it has observed, which locks it holds. */
  #hashActor(actor: number): number {
    const { world } = this;
    const hasher = this.#hasher;
    const step = this.#pending[actor];
    hasher.reset();
    hasher.add(step === undefined ? 0 : hashName(step.name));
    if (step !== undefined) hasher.add(world.execution.observed(actor));
    for (const lock of world.locks) hasher.add(HELD[lock.heldBy(actor) ?? "not"]);
    world.hashActor?.(actor, hasher);
    return hasher.value;
  }

  #lockViolation(actor: number, step: Step): string | undefined {
    const { locks, actors } = this.world;
    const taken = locks.find((lock) => lock.isTakenBy(step));
    if (taken !== undefined) {
      for (const held of locks) {
        if (held === taken || held.heldBy(actor) === undefined) continue;
        this.#lockOrder.add(`${held.name}>${taken.name}`);
        if (this.#lockOrder.has(`${taken.name}>${held.name}`)) {
          return `lock order: ${held.name} and ${taken.name} are taken in both orders`;
        }
      }
    }
    if (this.#pending[actor] !== undefined) return undefined;
    const kept = locks.find((lock) => lock.heldBy(actor) !== undefined);
    return kept && `lock held at exit: ${actors[actor].name} ends while it holds ${kept.name}`;
  }

  #endViolation(): string | undefined {
    if (this.done) return this.world.finalViolation?.();
    if (this.enabled().length > 0) return undefined;
    const { actors } = this.world;
    const waiting = this.#pending.flatMap((step, actor) => step ? [`${actors[actor].name} at '${step.name}'`] : []);
    return `deadlock: ${waiting.join(", ")}`;
  }
}

const HELD = { not: 0, write: 1, read: 2 } as const;

/** Where every actor waits at first. */
const BEGIN: Step = Object.freeze({ name: "begin", enabled: () => true, take: () => {} });

const names: Map<string, number> = new Map();

function hashName(name: string): number {
  let hash = names.get(name);
  if (hash === undefined) names.set(name, hash = new StateHasher().addText(name).value);
  return hash;
}
