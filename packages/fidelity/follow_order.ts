import { COMPLETE_MEMSLOTS, GUEST_RUNS, type Vm } from "@mmu-lab/machine";
import { CHECK_GENERATION, LOCKLESS_WALK, needsRoot } from "@mmu-lab/paging";
import { DeadlockError, type Protocol, type Step } from "@mmu-lab/protocol";
import { CHECK_MMIO_SPTE, MEMSLOTS_UPDATED, type TraceLine } from "@mmu-lab/tracing";
import {
  actorOf,
  operationProtocol,
  type OperationResult,
  type RecordedOperation,
  type RecordedStretch,
} from "@mmu-lab/workloads";
import { type Comparable, type ComparableContext, comparableFromRecord, isTimingExit } from "./comparable.ts";
import type { EventCollector } from "./event_collector.ts";
import { BEFORE_STAMP, isUpdatedBetween, leftForHost, seesOlder, UP_TO_STAMP } from "./look_ahead.ts";

/** What the model did with an operation. */
export interface FollowedOperation {
  /** What came of it. */
  readonly result: OperationResult;
  /** The model's events, in order. */
  readonly events: readonly Comparable[];
}

/** Events that tell how far an actor has come, beside those that are compared. */
export const GUIDES: readonly string[] = ["kvm_entry"];

/**
 * What is known of the steps of protocols: whether code that follows one has ever told of an event. By the names of the step
 * before it and of its own: the same step in another place is another.
 */
export type TellingSteps = Map<string, boolean>;

/** Events that an actor may tell of before it is held back; those of one operation alone are fewer. */
const FAR_AHEAD = 64;
/** Steps that an operation is given to end before others go on, and steps after which it is given up. */
const PATIENCE = 1000;
const MANY_STEPS = 20_000;

/** Events that tell whether the guest runs. */
const MOVES_GUEST: readonly string[] = ["kvm_entry", "kvm_exit"];
const EXIT_RIP = / rip (0x[0-9a-f]+)/;

/** What operations are followed with. */
export interface Following {
  /** The model's VM. */
  readonly vm: Vm;
  /** Takes its events; it must want those that are compared, and {@linkcode GUIDES}. */
  readonly sink: EventCollector;
  /** How events are read. */
  readonly context: ComparableContext;
  /** What is known of steps; more is learnt. */
  readonly telling: TellingSteps;
}

/** An operation under way. */
class Actor {
  readonly id: number;
  /** Events to compare. */
  readonly events: Comparable[] = [];
  result: OperationResult | undefined;
  /** Whether others still see the generation before that which it has told of. */
  completesLate = false;
  readonly #following: Following;
  readonly #protocol: Protocol<OperationResult>;
  /** How many events of each name it has told of, and how many the kernel's has. */
  readonly #told: Map<string, number> = new Map();
  readonly #due: Map<string, number> = new Map();
  /** How many events it has told of that the kernel's has not yet. */
  #ahead = 0;
  #next: Step | undefined;
  /** The step before, and the next, by their names. */
  #place = "";
  /** Where the guest was left next for an interrupt of the host; 0 while it is not in the guest for one. */
  #leftAt: number | undefined;
  /** Whether the next event tells what a walk has found: then it is as late as that. */
  #findsMmioSpte = false;

  constructor(following: Following, id: number, protocol: Protocol<OperationResult>) {
    this.id = id;
    this.#following = following;
    this.#protocol = protocol;
    this.#resume("");
  }

  /** The step before which it stands; `undefined` when it is done. */
  get next(): Step | undefined {
    return this.#next;
  }

  /** Whether it has to wait for another. */
  get waits(): boolean {
    return this.#next !== undefined && !this.#next.enabled(this.id);
  }

  /**
   * Whether it goes on at once, unless it is ahead of the kernel's or has to wait. A guest that runs does not wait for
   * anybody; code of KVM is taken not to have waited if it tells of nothing, and takes nothing that others would wait for.
   */
  get goesOn(): boolean {
    const { vm, telling } = this.#following;
    if (this.#next === undefined || this.#ahead !== 0 || this.waits) return false;
    if (this.#next === GUEST_RUNS) return vm.vcpu(this.id).inGuest && !this.isLeftHere;
    // The number is stored right behind the event that tells of it.
    if (this.#next === COMPLETE_MEMSLOTS) return !this.completesLate;
    if (this.#next === LOCKLESS_WALK && this.#findsMmioSpte) return false;
    // An update under way is what keeps the check of an entry from telling.
    if (this.#next === CHECK_GENERATION && !this.#findsMmioSpte && vm.memslots.some((m) => m.updateInProgress)) {
      return true;
    }
    return telling.get(this.#place) === false && !holdsUpOthers(vm, this.#next);
  }

  /** The kernel's has told of an event. */
  sees(name: string): void {
    if ((this.#told.get(name) ?? 0) > (this.#due.get(name) ?? 0)) this.#ahead--;
    this.#due.set(name, (this.#due.get(name) ?? 0) + 1);
  }

  /** Whether it has told of as many events of that name as the kernel's. */
  hasTold(name: string): boolean {
    return (this.#told.get(name) ?? 0) >= (this.#due.get(name) ?? 0);
  }

  /** Whether it has not told of such an event yet, and is not so far ahead of the kernel's that it never will. */
  mayTell(name: string): boolean {
    return this.#next !== undefined && this.#ahead < FAR_AHEAD && !this.hasTold(name);
  }

  #tells(name: string): void {
    if (this.hasTold(name)) this.#ahead++;
    this.#told.set(name, (this.#told.get(name) ?? 0) + 1);
  }

  /**
   * Looks at the recorded events from `at` on: what a walk finds, and where the guest was left next for an interrupt of
   * the host. It has not carried out the instruction there by then.
   */
  looksAhead(events: readonly TraceLine[], at: number): void {
    const { sink } = this.#following;
    let [next, exit] = [at, at];
    while (next < events.length && !sink.wants(events[next].name)) next++;
    this.#findsMmioSpte = events[next]?.name === CHECK_MMIO_SPTE.name;
    while (exit < events.length && !MOVES_GUEST.includes(events[exit].name)) exit++;
    this.#leftAt = undefined;
    if (exit === events.length) return;
    if (events[exit].name === "kvm_entry") {
      this.#leftAt = leftForHost(events, exit) ? 0 : undefined;
    } else if (isTimingExit(events[exit])) this.#leftAt = Number(EXIT_RIP.exec(events[exit].text)?.[1] ?? 0);
  }

  /** Whether the guest, before it goes on, was left for an interrupt of the host. */
  get isLeftHere(): boolean {
    const { vm } = this.#following;
    const loop = vm.guest.code?.loopRip;
    if (this.#leftAt === undefined) return false;
    // The loop begins with the exit for OUT, which is the last that an operation does.
    return this.#leftAt !== loop && vm.vcpu(this.id).rip >= this.#leftAt || vm.vcpu(this.id).rip === loop;
  }

  /** Goes on to where another CPU could run again. It must not wait. */
  advance(): void {
    const [next, place] = [this.#next!, this.#place];
    next.take(this.id);
    const tells = this.#resume(next.name);
    const { telling } = this.#following;
    telling.set(place, tells || telling.get(place) === true);
  }

  #resume(before: string): boolean {
    const { vm, sink, context } = this.#following;
    vm.execution.actor = this.id;
    const { done, value } = this.#protocol.next();
    this.#next = done ? undefined : value;
    this.#place = done ? "" : `${before} > ${value.name}`;
    if (done) this.result = value;
    let tells = false;
    for (const record of sink.records) {
      // A kernel tells of what it knows: the model knows names of all.
      if (record.event.format(context.era) === undefined) continue;
      tells = true;
      this.#tells(record.event.name);
      const event = comparableFromRecord(record, context);
      if (event !== undefined) this.events.push(event);
    }
    sink.records.length = 0;
    return tells;
  }
}

/**
 * Carries out operations that overlap, in the order in which the kernel's events came: the recording is the schedule. Each
 * operation is a protocol, and what lies between two of its steps is one act. Before a recorded event its own actor goes on
 * until it has told of one of that name; acts that tell of nothing follow at once, as nothing shows that they waited. Who
 * has to wait lets those go on who hold it up.
 *
 * @param following The VM, and what is known.
 * @param stretch The operations.
 * @param done Is told of each operation when the recording says that it is done.
 * @throws {DeadlockError} If all have to wait.
 * @throws {RangeError} If an operation does not come to its end.
 */
export function followOrder(
  following: Following,
  { operations, order }: RecordedStretch,
  done: (index: number, followed: FollowedOperation) => void,
): void {
  const { vm } = following;
  const actors: Actor[] = [];
  const turns = operations.map(() => 0);
  for (const [position, index] of (order.length > 0 ? order : aloneIn(operations[0].events)).entries()) {
    const { operation, events } = operations[index];
    const turn = turns[index]++;
    if (turn === 0) {
      actors[index] = new Actor(following, actorOf(vm, operation, index), operationProtocol(vm, operation));
      actors[index].looksAhead(events, 0);
    } else if (turn <= events.length) {
      const line = events[turn - 1];
      actors[index].looksAhead(events, turn);
      actors[index].completesLate = line.name === MEMSLOTS_UPDATED.name &&
        seesOlder(line, index, operations, order.slice(position + 1), turns);
      const stampsLater = BEFORE_STAMP.includes(line.name) && UP_TO_STAMP.includes(events[turn]?.name) &&
        isUpdatedBetween(index, operations, order.slice(position + 1), turns);
      if (stampsLater) continue;
      if (!guides(following, actors[index], events, turn - 1)) continue;
      actors[index].sees(line.name);
      while (actors[index].mayTell(line.name)) goOn(vm, actors[index], actors);
    } else {
      finish(vm, actors[index], actors, operations[index]);
      done(index, { result: actors[index].result!, events: actors[index].events });
    }
    while (actors[index].goesOn) actors[index].advance();
  }
}

/** The turns of an operation that runs alone: its first marker, its events, its `done`. */
function aloneIn(events: readonly TraceLine[]): number[] {
  return new Array<number>(events.length + 2).fill(0);
}

/** Whether an event tells how far its actor has come. */
function guides({ sink, vm }: Following, actor: Actor, events: readonly TraceLine[], at: number): boolean {
  const { name } = events[at];
  if (!sink.wants(name)) return false;
  if (isTimingExit(events[at])) return false;
  if (name !== "kvm_entry") return true;
  // The model's guest begins to run as it is entered: it is not, if it was left at once.
  if (actor.isLeftHere) return false;
  // A guest that was left for an interrupt of the host is entered again: the model's left it only if it was asked to.
  return !leftForHost(events, at) || actor.next === GUEST_RUNS && isAskedToLeave(vm, actor.id);
}

/** Whether a vCPU is out of the guest, or has a request that takes it out. */
function isAskedToLeave(vm: Vm, id: number): boolean {
  const vcpu = vm.vcpu(id);
  return !vcpu.inGuest || vcpu.mmu.flushRequested || needsRoot(vm.mmu, vcpu.mmu);
}

/** Lets an actor go on to its end. A vCPU may try again and again what another has to finish first: then all go on by turns. */
function finish(vm: Vm, actor: Actor, all: readonly Actor[], { seq, startLine }: RecordedOperation): void {
  for (let steps = 0; actor.next !== undefined; steps++) {
    if (steps > MANY_STEPS) {
      throw new RangeError(`Cannot follow the recorded order: operation seq=${seq} (line ${startLine}) does not end`);
    }
    goOn(vm, actor, all);
    if (steps < PATIENCE) continue;
    for (const other of all) if (other !== actor && other?.next !== undefined && !other.waits) other.advance();
  }
}

/** Lets an actor go on by a step, and before it, if it waits, those who hold it up. */
function goOn(vm: Vm, actor: Actor, all: readonly Actor[]): void {
  while (actor.waits) {
    const others = all.filter((other) => other !== actor && other?.next !== undefined && !other.waits);
    const holding = others.filter(({ id }) => holds(vm, id));
    const [other] = holding.length > 0 ? holding : others;
    if (other === undefined) throw new DeadlockError(actor.id, actor.next!.name);
    other.advance();
  }
  actor.advance();
}

/** Whether a step takes a lock or enters a read section, so that others have to wait. */
function holdsUpOthers({ mmu, slotsLock, srcu }: Vm, step: Step): boolean {
  const { acquire, enter, acquireRead, enterRead } = mmu.lock;
  return step === acquire || step === enter || step === acquireRead || step === enterRead ||
    step === slotsLock.acquire || step === srcu.readLock;
}

/** Whether an actor holds what others may wait for. */
function holds(vm: Vm, id: number): boolean {
  return vm.srcu.isWaitedFor(id) || vm.mmu.lock.heldBy(id) !== undefined || vm.slotsLock.owner === id;
}
