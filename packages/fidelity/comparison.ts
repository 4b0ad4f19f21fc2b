import type { Profile, Vm } from "@mmu-lab/machine";
import { DeadlockError } from "@mmu-lab/protocol";
import type { Era, TraceEvent } from "@mmu-lab/tracing";
import { type OperationResult, type RecordedOperation, type RecordedStretch, runOperation } from "@mmu-lab/workloads";
import { ModelVm } from "./_model_vm.ts";
import { align } from "./align.ts";
import { type Comparable, comparableFromLine, comparableFromRecord } from "./comparable.ts";
import { type Conformance, type EventPair, MAX_MISMATCHES, type Mismatch, RECENT_EVENTS } from "./conformance.ts";
import type { Difference, Placements, TellingSteps } from "./overlap/act.ts";
import { followOrder, GUIDES } from "./overlap/follow_order.ts";
import { type Level, levelOfEvent, LEVELS } from "./levels.ts";
import { modelOutcome, showOutcome } from "./outcome.ts";
import type { FrameRenaming } from "./frame_renaming.ts";

/** What a {@linkcode Comparison} compares, and how closely. */
export interface ComparisonOptions {
  /** The kernel and processor that the model is. */
  readonly profile: Profile;
  /** The highest level to compare. */
  readonly level: Level;
  /** How the recorded kernel prints. */
  readonly era: Era;
  /** Whether its probes print `0x`, whatever is usual in its era; as is usual unless told. */
  readonly prefixed?: boolean;
  /** Whether it hides pointers, as kernels from 4.15 on do unless told; no unless told. */
  readonly hidden?: boolean;
  /** Name of the file, for messages. */
  readonly file?: string;
  /** What is known of steps, for operations that overlap; more is learnt. Nothing unless told. */
  readonly telling?: TellingSteps;
  /** Acts of operations that overlap that happen elsewhere than the rules would have them; none unless told. */
  readonly placements?: Placements;
  /** Is told of each operation, of those that overlap, that differs. What it throws ends the comparison. */
  readonly onDifference?: (difference: Difference) => void;
}

/**
 * Carries recorded operations out on the model and compares, operation by operation, what came of them and the events that
 * the kernel and the model tell of. Events are aligned within an operation, so that one that is missing counts once.
 * Frames are renamed by a bijection, never ignored.
 *
 * Holds no operation after it is compared: memory does not grow with the recording.
 */
export class Comparison {
  readonly #options: ComparisonOptions;
  readonly #matched: number[] = LEVELS.map(() => 0);
  readonly #total: number[] = LEVELS.map(() => 0);
  readonly #mismatches: Mismatch[] = [];
  /** The last events that were compared, in a ring. */
  readonly #recent: [kernel: Comparable | undefined, model: Comparable | undefined][] = [];
  readonly #telling: TellingSteps;
  /** Of the operation that is compared: the line of the last event that agreed, before the first that did not. */
  #agreedTo = 0;
  #differs = false;
  /** Whether operations overlapped so far. */
  overlaps = false;
  #compared = 0;
  #model: ModelVm | undefined;

  /** Makes a comparison that has compared nothing. */
  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#telling = options.telling ?? new Map();
  }

  /**
   * Carries out the next operations and compares.
   *
   * @throws {RangeError} If the model cannot carry one out; the message names it.
   * @throws {TraceSyntaxError} If an event that is compared cannot be read.
   */
  push(stretch: RecordedStretch): void {
    const { header, operations } = stretch;
    if (this.#model?.header !== header) this.#model = new ModelVm(header, this.#options);
    this.#model.renaming.sweep();
    if (stretch.order.length > 0) return this.#follow(this.#model, stretch);
    for (const operation of operations) this.#compare(this.#model, operation);
  }

  /**
   * What came of all so far.
   *
   * @throws {RangeError} If there was nothing to compare.
   */
  result(): Conformance {
    if (this.#model === undefined) throw new RangeError("Cannot compare a recording that has no operation");
    const asked = LEVELS.filter((level) => level <= this.#options.level);
    const { statistics, vm } = this.#model;
    return {
      profile: this.#options.profile.name,
      levels: Object.fromEntries(
        asked.map((level, i) => [level, { matched: this.#matched[i], total: this.#total[i] }]),
      ),
      statistics: statistics ?? { ...vm.mmu.stats },
      mismatches: this.#mismatches,
    };
  }

  /** An operation alone. */
  #compare(model: ModelVm, recorded: RecordedOperation): void {
    const { vm, sink, context } = model;
    sink.clear(wantedIn(recorded, this.#options.level));
    if (recorded.operation.op === "vm-destroy") model.statistics = { ...vm.mmu.stats };
    const result = carryOut(vm, recorded);
    const events: Comparable[] = [];
    for (const record of sink.records) {
      const event = comparableFromRecord(record, context);
      if (event !== undefined) events.push(event);
    }
    this.#judge(model, recorded, result, events);
  }

  /** Operations that overlap. */
  #follow(model: ModelVm, stretch: RecordedStretch): void {
    const { sink, context, vm } = model;
    this.overlaps = true;
    const [telling, { placements, onDifference }] = [this.#telling, this.#options];
    const following = { vm, sink, context, telling, ...(placements === undefined ? {} : { placements }) };
    sink.clear(({ name }) => levelOfEvent(name) !== undefined || GUIDES.includes(name));
    try {
      followOrder(following, stretch, (index, { result, events }, acts) => {
        this.#judge(model, stretch.operations[index], result, events);
        if (this.#differs) onDifference?.({ stretch, operation: index, line: this.#agreedTo, acts });
      });
    } catch (error) {
      if (!(error instanceof DeadlockError)) throw error;
      const { seq, startLine } = stretch.operations[0];
      const what = `Cannot follow the recorded order of the operations from seq=${seq} (line ${startLine}) on`;
      throw new RangeError(`${what}: ${error.message}`, { cause: error });
    }
  }

  /** Compares what came of an operation, and the events. */
  #judge(model: ModelVm, recorded: RecordedOperation, result: OperationResult, events: readonly Comparable[]): void {
    const { vm, context, pointers } = model;
    const bulk = recorded.operation.op === "bulk-flags" ? recorded.operation : undefined;
    const flags = bulk && vm.memslots[bulk.asId ?? 0].active.byId(bulk.id)?.flags;
    const kernel = showOutcome(recorded.outcome);
    const ours = showOutcome(modelOutcome(recorded, result, flags));
    this.#score(1, kernel === ours);
    if (kernel !== ours) this.#mismatch(1, recorded, recorded.endLine, kernel, ours);
    const { level } = this.#options;
    const theirs: Comparable[] = [];
    for (const line of pointers.restore(recorded.events)) {
      const event = comparableFromLine(line, context);
      if (event !== undefined && event.level <= level) theirs.push(event);
    }
    this.#agreedTo = recorded.startLine;
    this.#differs = false;
    this.#compareEvents(model, recorded, theirs, events.filter((event) => event.level <= level));
    this.#differs ||= kernel !== ours;
  }

  #compareEvents({ renaming }: ModelVm, recorded: RecordedOperation, kernel: Comparable[], model: Comparable[]): void {
    const pairs = align(kernel.length, model.length, (l, r) => agree(renaming, kernel[l], model[r]));
    const gap = { kernel: [] as Comparable[], model: [] as Comparable[] };
    for (const { left, right } of pairs) {
      const [theirs, ours] = [kernel[left], model[right]];
      if (theirs !== undefined && ours !== undefined && bind(renaming, theirs, ours)) {
        this.#differ(recorded, gap);
        this.#score(theirs.level, true);
        this.#remember(theirs, ours);
        if (!this.#differs) this.#agreedTo = theirs.line!;
        continue;
      }
      if (theirs !== undefined) gap.kernel.push(theirs);
      if (ours !== undefined) gap.model.push(ours);
    }
    this.#differ(recorded, gap);
  }

  /** Events between two that agree, which each of the two has alone: each counts, and they are shown side by side. */
  #differ(recorded: RecordedOperation, { kernel, model }: { kernel: Comparable[]; model: Comparable[] }): void {
    this.#differs ||= kernel.length > 0 || model.length > 0;
    for (let i = 0; i < kernel.length || i < model.length; i++) {
      const [theirs, ours] = [kernel[i], model[i]];
      const levels = [theirs, ours].filter((event) => event !== undefined).map(({ level }) => level);
      for (const level of levels) this.#score(level, false);
      const line = theirs?.line ?? recorded.startLine;
      this.#mismatch(Math.min(...levels) as Level, recorded, line, theirs, ours);
      this.#remember(theirs, ours);
    }
    kernel.length = 0;
    model.length = 0;
  }

  #score(level: Level, same: boolean): void {
    for (let i = 0; i < LEVELS.length; i++) {
      if (LEVELS[i] < level) continue;
      this.#total[i]++;
      if (same) this.#matched[i]++;
    }
  }

  #remember(kernel: Comparable | undefined, model: Comparable | undefined): void {
    this.#recent[this.#compared++ % RECENT_EVENTS] = [kernel, model];
  }

  #mismatch(
    level: Level,
    { seq, operation }: RecordedOperation,
    line: number,
    kernel: Comparable | string | undefined,
    model: Comparable | string | undefined,
  ): void {
    if (this.#mismatches.length >= MAX_MISMATCHES) return;
    const what = { level, seq, operation: JSON.stringify(operation), line };
    this.#mismatches.push({ ...what, kernel: show(kernel), model: show(model), recent: this.#recentPairs() });
  }

  #recentPairs(): EventPair[] {
    const kept = this.#recent.length;
    return Array.from({ length: kept }, (_, i) => {
      const [kernel, model] = this.#recent[(this.#compared + i) % kept];
      return { kernel: show(kernel), model: show(model) };
    });
  }
}

/** Which events of the model are looked at. The recorder turns its probes off while it changes flags many times in a row. */
function wantedIn({ operation }: RecordedOperation, level: Level): (event: TraceEvent) => boolean {
  const probes = operation.op !== "bulk-flags";
  return ({ name, system }) => (levelOfEvent(name) ?? Infinity) <= level && (probes || system !== "probe");
}

function carryOut(vm: Vm, { operation, seq, startLine }: RecordedOperation): ReturnType<typeof runOperation> {
  try {
    return runOperation(vm, operation);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const what = `Cannot carry out operation seq=${seq} (op=${operation.op}, line ${startLine}) on ${vm.profile.name}`;
    throw new RangeError(`${what}: ${error.message}`, { cause: error });
  }
}

function agree(renaming: FrameRenaming, kernel: Comparable, model: Comparable): boolean {
  if (kernel.name !== model.name || kernel.text !== model.text) return false;
  for (let i = 0; i < kernel.frames.length; i++) {
    if (!renaming.canMatch(model.places[i], kernel.frames[i])) return false;
  }
  return true;
}

/** Two events that agree bind the frames that they show, for the rest of the recording. */
function bind(renaming: FrameRenaming, kernel: Comparable, model: Comparable): boolean {
  for (let i = 0; i < kernel.frames.length; i++) {
    if (!renaming.match(model.places[i], kernel.frames[i])) return false;
  }
  return true;
}

function show(event: Comparable | string | undefined): string {
  if (event === undefined) return "nothing";
  return typeof event === "string" ? event : `${event.name}: ${event.whole}`;
}
