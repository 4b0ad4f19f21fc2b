import { GUEST_RUNS, type Vm } from "@mmu-lab/machine";
import { needsRoot } from "@mmu-lab/paging";
import { DeadlockError, type Step } from "@mmu-lab/protocol";
import type { TraceLine } from "@mmu-lab/tracing";
import {
  actorOf,
  operationProtocol,
  type OperationResult,
  type RecordedOperation,
  type RecordedStretch,
} from "@mmu-lab/workloads";
import { type Comparable, type ComparableContext, isTimingExit } from "../comparable.ts";
import type { EventCollector } from "../event_collector.ts";
import { type Act, NO_PLACEMENTS, type Placements, type TellingSteps } from "./act.ts";
import { FollowedActor, leftForHost, type SharedByActors } from "./followed_actor.ts";

/** What the model did with an operation. */
export interface FollowedOperation {
  /** What came of it. */
  readonly result: OperationResult;
  /** The model's events, in order. */
  readonly events: readonly Comparable[];
}

/** Events that tell how far an actor has come, beside those that are compared. */
export const GUIDES: readonly string[] = ["kvm_entry"];

/** Steps that an operation is given to end before others go on, and steps after which it is given up. */
const PATIENCE = 1000;
const MANY_STEPS = 20_000;

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
  /** Acts that happen elsewhere; none unless told. */
  readonly placements?: Placements;
}

/**
 * Carries out operations that overlap, in the order in which the kernel's events came: the recording is the schedule. Each
 * operation is a protocol, and what lies between two of its steps is one act. Before a recorded event its own actor goes on
 * until it has told of one of that name; acts that tell of nothing follow at once, as nothing shows that they waited,
 * unless they are placed elsewhere. Who has to wait lets those go on who hold it up.
 *
 * @param following The VM, and what is known.
 * @param stretch The operations.
 * @param done Is told of each operation when the recording says that it is done, with all that was done so far.
 * @throws {DeadlockError} If all have to wait.
 * @throws {RangeError} If an operation does not come to its end.
 * @throws `MisplacedActError` if an act is placed where it cannot have happened.
 */
export function followOrder(
  following: Following,
  { operations, order }: RecordedStretch,
  done: (index: number, followed: FollowedOperation, acts: readonly Act[]) => void,
): void {
  const { vm, sink, placements = NO_PLACEMENTS } = following;
  sink.touches = () => vm.execution.touched;
  const shared: SharedByActors = { ...following, acts: [], turn: 0 };
  const running = new Map<number, FollowedActor>();
  const placed = placedByTurn(operations, placements);
  const turns = operations.map(() => 0);
  for (const [position, index] of (order.length > 0 ? order : aloneIn(operations[0].events)).entries()) {
    shared.turn = position;
    for (const [operation, act] of placed.get(position) ?? []) {
      const actor = running.get(operation);
      if (actor !== undefined) catchUp(vm, actor, act, running);
    }
    const { operation, events, startLine } = operations[index];
    const turn = turns[index]++;
    let actor = running.get(index);
    if (actor === undefined) {
      const [id, protocol] = [actorOf(vm, operation, index), operationProtocol(vm, operation)];
      actor = new FollowedActor(shared, index, id, protocol, placements.get(startLine) ?? new Map());
      running.set(index, actor);
      actor.looksAhead(events, 0);
    } else if (turn <= events.length) {
      const { name } = events[turn - 1];
      actor.looksAhead(events, turn);
      if (!guides(following, actor, events, turn - 1)) continue;
      actor.sees(name);
      while (actor.mayTell(name) && !actor.isHeld) goOn(vm, actor, running);
      if (actor.mayTell(name)) actor.heldBack();
    } else {
      finish(vm, actor, running, operations[index]);
      running.delete(index);
      done(index, { result: actor.result!, events: actor.events }, shared.acts);
    }
    while (actor.goesOn) actor.advance();
  }
}

/** The turns of an operation that runs alone: its first marker, its events, its `done`. */
function aloneIn(events: readonly TraceLine[]): number[] {
  return new Array<number>(events.length + 2).fill(0);
}

/** By turn, the acts that are placed in it: index of the operation, number of the act. */
function placedByTurn(
  operations: readonly RecordedOperation[],
  placements: Placements,
): Map<number, [operation: number, act: number][]> {
  const placed = new Map<number, [number, number][]>();
  if (placements.size === 0) return placed;
  for (const [index, { startLine }] of operations.entries()) {
    for (const [act, turn] of placements.get(startLine) ?? []) {
      placed.set(turn, [...placed.get(turn) ?? [], [index, act]]);
    }
  }
  return placed;
}

/** Lets an actor do what it has up to an act whose turn has come, and tell of what it was held back from. */
function catchUp(vm: Vm, actor: FollowedActor, act: number, all: Running): void {
  while (actor.next !== undefined && actor.acts <= act) {
    letOthersGoOn(vm, actor, all);
    actor.advanceEarly();
  }
  while (actor.owes && !actor.isHeld) goOn(vm, actor, all);
}

/** Whether an event tells how far its actor has come. */
function guides({ sink, vm }: Following, actor: FollowedActor, events: readonly TraceLine[], at: number): boolean {
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

/** The operations under way, by index. */
type Running = ReadonlyMap<number, FollowedActor>;

/** Lets an actor go on to its end. A vCPU may try again and again what another has to finish first: then all go on by turns. */
function finish(vm: Vm, actor: FollowedActor, all: Running, { seq, startLine }: RecordedOperation): void {
  for (let steps = 0; actor.next !== undefined; steps++) {
    if (steps > MANY_STEPS) {
      throw new RangeError(`Cannot follow the recorded order: operation seq=${seq} (line ${startLine}) does not end`);
    }
    goOn(vm, actor, all);
    if (steps < PATIENCE) continue;
    for (const other of all.values()) if (other !== actor && other.next !== undefined && !other.waits) other.advance();
  }
}

/** Lets an actor go on by a step, and before it, if it waits, those who hold it up. */
function goOn(vm: Vm, actor: FollowedActor, all: Running): void {
  letOthersGoOn(vm, actor, all);
  actor.advance();
}

/** If an actor waits, lets those go on who hold it up. */
function letOthersGoOn(vm: Vm, actor: FollowedActor, all: Running): void {
  while (actor.waits) {
    const other = heldUpBy(vm, actor, all, new Set([actor])) ??
      [...all.values()].find((other) => other !== actor && other.next !== undefined && !other.waits);
    if (other === undefined) throw new DeadlockError(actor.id, actor.next!.name);
    other.advance();
  }
}

/** Who holds an actor up in the end: somebody who does not wait. */
function heldUpBy(vm: Vm, actor: FollowedActor, all: Running, asked: Set<FollowedActor>): FollowedActor | undefined {
  for (const other of all.values()) {
    if (asked.has(other) || other.next === undefined || !holds(vm, other.id, actor.next!)) continue;
    asked.add(other);
    const last = other.waits ? heldUpBy(vm, other, all, asked) : other;
    if (last !== undefined) return last;
  }
  return undefined;
}

/** Whether an actor holds what a step waits for: a lock, or memslots that it reads. */
function holds({ mmu, slotsLock, srcu }: Vm, id: number, step: Step): boolean {
  const lock = [mmu.lock, slotsLock].find((lock) => lock.isTakenBy(step));
  return lock === undefined ? srcu.isWaitedFor(id) : lock.heldBy(id) !== undefined;
}
