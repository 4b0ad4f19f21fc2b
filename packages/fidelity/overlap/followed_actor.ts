import { COMPLETE_MEMSLOTS, GUEST_RUNS, type Vm } from "@mmu-lab/machine";
import type { Protocol, Step } from "@mmu-lab/protocol";
import type { TraceLine } from "@mmu-lab/tracing";
import type { OperationResult } from "@mmu-lab/workloads";
import { type Comparable, type ComparableContext, comparableFromRecord, isTimingExit } from "../comparable.ts";
import type { EventCollector } from "../event_collector.ts";
import { type Act, MisplacedActError, type TellingSteps, touchTheSame } from "./act.ts";

/** Events that an actor may tell of before it is held back; those of one operation alone are fewer. */
const FAR_AHEAD = 64;

/** Events that tell whether the guest runs. */
const MOVES_GUEST: readonly string[] = ["kvm_entry", "kvm_exit"];
const EXIT_RIP = / rip (0x[0-9a-f]+)/;

/** What all actors of a stretch share. */
export interface SharedByActors {
  /** The model's VM. */
  readonly vm: Vm;
  /** Takes its events. */
  readonly sink: EventCollector;
  /** How events are read. */
  readonly context: ComparableContext;
  /** What is known of steps; more is learnt. */
  readonly telling: TellingSteps;
  /** Takes what is done. */
  readonly acts: Act[];
  /** Whose turn it is: an index into the stretch's `order`. */
  turn: number;
}

/** An operation under way, of several that overlap: a protocol, and how far the kernel's has come. */
export class FollowedActor {
  /** Who performs it. */
  readonly id: number;
  /** Its events to compare. */
  readonly events: Comparable[] = [];
  /** What came of it, once it is done. */
  result: OperationResult | undefined;
  readonly #index: number;
  readonly #shared: SharedByActors;
  readonly #protocol: Protocol<OperationResult>;
  readonly #placed: ReadonlyMap<number, number>;
  /** How many events of each name it has told of, and how many the kernel's has. */
  readonly #told: Map<string, number> = new Map();
  readonly #due: Map<string, number> = new Map();
  /** How many events it has told of that the kernel's has not yet. */
  #ahead = 0;
  /** Turns of events that the kernel's told of while it was held back from that. */
  readonly #owed: number[] = [];
  /** Places in the list of acts of those that it did early, behind events that the kernel's has yet to tell of. */
  #early: number[] = [];
  #acts = 0;
  #next: Step | undefined;
  /** The step before, and the next, by their names. */
  #place = "";
  /** Where the guest was left next for an interrupt of the host; 0 while it is not in the guest for one. */
  #leftAt: number | undefined;

  /**
   * Begins an operation.
   *
   * @param index Its index in the stretch. @param id Who performs it. @param placed Turns of acts, by their numbers.
   */
  constructor(
    shared: SharedByActors,
    index: number,
    id: number,
    protocol: Protocol<OperationResult>,
    placed: ReadonlyMap<number, number>,
  ) {
    this.#shared = shared;
    this.#index = index;
    this.id = id;
    this.#protocol = protocol;
    this.#placed = placed;
    this.#resume("");
  }

  /** The step before which it stands; `undefined` when it is done. */
  get next(): Step | undefined {
    return this.#next;
  }

  /** How many acts it has done. */
  get acts(): number {
    return this.#acts;
  }

  /** Whether it has to wait for another. */
  get waits(): boolean {
    return this.#next !== undefined && !this.#next.enabled(this.id);
  }

  /** Whether its next act is placed in a later turn. */
  get isHeld(): boolean {
    return (this.#placed.get(this.#acts) ?? 0) > this.#shared.turn;
  }

  /**
   * Whether it goes on at once, unless it is held, ahead of the kernel's, or has to wait. A guest that runs does not wait
   * for anybody; code of KVM is taken not to have waited if it tells of nothing, and takes nothing that others would wait
   * for.
   */
  get goesOn(): boolean {
    const { vm, telling } = this.#shared;
    if (this.#next === undefined || this.isHeld || this.#ahead !== 0 || this.waits) return false;
    if (this.#next === GUEST_RUNS) return vm.vcpu(this.id).inGuest && !this.isLeftHere;
    // The number is stored right behind the event that tells of it.
    if (this.#next === COMPLETE_MEMSLOTS) return true;
    return telling.get(this.#place) === false && !holdsUpOthers(vm, this.#next);
  }

  /** Whether it was held back from telling of something that the kernel's has told of. */
  get owes(): boolean {
    return this.#owed.length > 0 && this.#next !== undefined && this.#ahead < FAR_AHEAD;
  }

  /** Goes on by an act that is placed here, perhaps before events of the kernel's that the act comes after. */
  advanceEarly(): void {
    if (this.#ahead > 0) this.#early.push(this.#shared.acts.length);
    this.advance();
  }

  /** It is held back from telling of what the kernel's tells of now. */
  heldBack(): void {
    this.#owed.push(this.#shared.turn);
  }

  /**
   * The kernel's has told of an event.
   *
   * @throws {MisplacedActError} If somebody has touched meanwhile what acts have touched that come after it.
   */
  sees(name: string): void {
    if ((this.#told.get(name) ?? 0) > (this.#due.get(name) ?? 0)) this.#ahead--;
    this.#mustStillBeSame();
    this.#due.set(name, (this.#due.get(name) ?? 0) + 1);
  }

  /** Whether it has not told of such an event yet, and is not so far ahead of the kernel's that it never will. */
  mayTell(name: string): boolean {
    return this.#next !== undefined && this.#ahead < FAR_AHEAD && !this.#hasTold(name);
  }

  #hasTold(name: string): boolean {
    return (this.#told.get(name) ?? 0) >= (this.#due.get(name) ?? 0);
  }

  #tells(name: string): void {
    if (this.#hasTold(name)) this.#ahead++;
    else this.#owed.shift();
    this.#told.set(name, (this.#told.get(name) ?? 0) + 1);
  }

  /**
   * Looks at its recorded events from `at` on, for where the guest was left next for an interrupt of the host. It has not
   * carried out the instruction there by then.
   */
  looksAhead(events: readonly TraceLine[], at: number): void {
    let exit = at;
    while (exit < events.length && !MOVES_GUEST.includes(events[exit].name)) exit++;
    this.#leftAt = undefined;
    if (exit === events.length) return;
    if (events[exit].name === "kvm_entry") this.#leftAt = leftForHost(events, exit) ? 0 : undefined;
    else if (isTimingExit(events[exit])) this.#leftAt = Number(EXIT_RIP.exec(events[exit].text)?.[1] ?? 0);
  }

  /** Whether the guest, before it goes on, was left for an interrupt of the host. */
  get isLeftHere(): boolean {
    const { vm } = this.#shared;
    const loop = vm.guest.code?.loopRip;
    if (this.#leftAt === undefined) return false;
    // The loop begins with the exit for OUT, which is the last that an operation does.
    return this.#leftAt !== loop && vm.vcpu(this.id).rip >= this.#leftAt || vm.vcpu(this.id).rip === loop;
  }

  /**
   * Goes on to where another CPU could run again. It must not wait.
   *
   * @throws {MisplacedActError} If the kernel's has told of something in an earlier turn that comes later in the act, after
   * it has touched what others share, or after the act.
   */
  advance(): void {
    const { telling, acts, turn, vm } = this.#shared;
    const [next, place, number] = [this.#next!, this.#place, this.#acts++];
    vm.execution.touched = 0;
    next.take(this.id);
    vm.execution.touched |= next.touches ?? 0;
    const tells = this.#resume(next.name);
    const { touched } = vm.execution;
    acts.push({ operation: this.#index, number, turn, touched });
    this.#mustHaveBeenSame(touched);
    telling.set(place, tells || telling.get(place) === true);
  }

  /**
   * What it has touched now it touched in an earlier turn, if the kernel's told then of what it has yet to tell of: nobody may
   * have touched the same in between.
   */
  #mustHaveBeenSame(touched: number): void {
    const { acts, turn } = this.#shared;
    const since = this.#owed[0];
    if (since === undefined || since === turn) return;
    for (let i = acts.length - 1; i >= 0 && acts[i].turn > since; i--) {
      if (acts[i].operation === this.#index) continue;
      if (touchTheSame(acts[i].touched, touched)) throw new MisplacedActError({ number: this.#acts - 1, turn });
    }
  }

  /** What it has touched early it touches only now: nobody may have touched the same in between. */
  #mustStillBeSame(): void {
    const { acts, turn } = this.#shared;
    for (const early of this.#early) {
      for (let i = early + 1; i < acts.length; i++) {
        const isOther = acts[i].operation !== this.#index;
        if (isOther && touchTheSame(acts[i].touched, acts[early].touched)) {
          throw new MisplacedActError({ number: acts[early].number, turn });
        }
      }
    }
    if (this.#ahead === 0) this.#early = [];
  }

  #resume(before: string): boolean {
    const { vm, sink, context } = this.#shared;
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
      this.#mustHaveBeenSame(record.touched);
      this.#tells(record.event.name);
      const event = comparableFromRecord(record, context);
      if (event !== undefined) this.events.push(event);
    }
    sink.records.length = 0;
    return tells;
  }
}

/** Whether the guest was last left for an interrupt of the host. */
export function leftForHost(events: readonly TraceLine[], at: number): boolean {
  for (let i = at - 1; i >= 0; i--) if (events[i].name === "kvm_exit") return isTimingExit(events[i]);
  return false;
}

/** Whether a step takes a lock or enters a read section, so that others have to wait. */
function holdsUpOthers({ mmu, slotsLock, srcu }: Vm, step: Step): boolean {
  return mmu.lock.isTakenBy(step) || slotsLock.isTakenBy(step) || step === srcu.readLock;
}
