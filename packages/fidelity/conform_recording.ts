import type { Profile, Vm } from "@mmu-lab/machine";
import type { KvmStats } from "@mmu-lab/paging";
import type { Era } from "@mmu-lab/tracing";
import { type RecordedOperation, type Recording, runOperation, vmForScenario } from "@mmu-lab/workloads";
import { align } from "./align.ts";
import { type Comparable, type ComparableContext, comparableFromLine, comparableFromRecord } from "./comparable.ts";
import { EventCollector } from "./event_collector.ts";
import { type Level, levelOfEvent, LEVELS } from "./levels.ts";
import { modelOutcome, showOutcome } from "./outcome.ts";
import { recordedKernel } from "./recorded_kernel.ts";
import { FrameRenaming } from "./frame_renaming.ts";
import { PlaceFinder } from "./places.ts";

/** How much agrees at one level. */
export interface LevelScore {
  /** Outcomes and events that agree. */
  readonly matched: number;
  /** All of them: those of the recording, and those that the model has alone. */
  readonly total: number;
}

/** A place where kernel and model differ. */
export interface Mismatch {
  /** The lowest level that sees it. */
  readonly level: Level;
  /** The operation, as the recorder numbers it. */
  readonly seq: number;
  /** The operation, for people. */
  readonly operation: string;
  /** The line of the recording where it shows. */
  readonly line: number;
  /** What the kernel did, or `nothing`. */
  readonly kernel: string;
  /** What the model did, or `nothing`. */
  readonly model: string;
}

/** What came of holding the model against a recording. */
export interface Conformance {
  /** Name of the profile that the model was. */
  readonly profile: string;
  /** The score of each level that was asked for; a level includes those below it. */
  readonly levels: Readonly<Partial<Record<Level, LevelScore>>>;
  /** KVM's own statistics as the model counts them, when the VM is about to be destroyed or the recording ends. */
  readonly statistics: Readonly<KvmStats>;
  /** Every difference at those levels, in order, at most {@linkcode MAX_MISMATCHES}. */
  readonly mismatches: readonly Mismatch[];
}

/** How many differences are kept; all are counted. */
export const MAX_MISMATCHES: number = 100;

/** Options of {@linkcode conformRecording}. */
export interface ConformOptions {
  /** The kernel and processor that the model is. */
  readonly profile: Profile;
  /** The highest level to compare; 2 unless told. */
  readonly level?: Level;
  /** How the recorded kernel prints; as the recording shows unless told, and as 3.11 if it does not. */
  readonly era?: Era;
  /** Name of the file, for messages. */
  readonly file?: string;
}

/**
 * Carries out a recording's operations on the model and compares, operation by operation, what came of them and the
 * events that the kernel and the model tell of. Events are aligned within an operation, so that one that is missing
 * counts once. Frames of page tables are renamed by a bijection, never ignored.
 *
 * @param recording What was asked of the kernel, and what it did.
 * @param options The model, and how closely to look.
 */
export function conformRecording(recording: Recording, options: ConformOptions): Conformance {
  return new Comparison(recording, options).run();
}

class Comparison {
  readonly #recording: Recording;
  readonly #level: Level;
  readonly #profile: Profile;
  readonly #sink = new EventCollector();
  readonly #vm: Vm;
  readonly #context: ComparableContext;
  readonly #renaming: FrameRenaming;
  readonly #matched: Record<Level, number> = { 1: 0, 2: 0, 3: 0 };
  readonly #total: Record<Level, number> = { 1: 0, 2: 0, 3: 0 };
  readonly #mismatches: Mismatch[] = [];
  #statistics: KvmStats | undefined;

  constructor(recording: Recording, options: ConformOptions) {
    this.#recording = recording;
    this.#profile = options.profile;
    this.#level = options.level ?? 2;
    this.#vm = vmForScenario(recording.scenario, options.profile, { trace: this.#sink });
    this.#context = {
      era: options.era ?? recordedKernel(recording).era ?? "3.11",
      layout: this.#vm.mmu.layout,
      isPresent: (lo, hi) => this.#vm.mmu.isPresent(lo, hi),
      ...(options.file === undefined ? {} : { file: options.file }),
    };
    const { mmu } = this.#vm;
    const finder = new PlaceFinder(mmu);
    this.#sink.findPlaces = (event, args) => finder.placesOf(event, args);
    this.#renaming = new FrameRenaming((serial) => finder.isLive(serial));
  }

  run(): Conformance {
    for (const operation of this.#recording.operations) this.#compare(operation);
    const asked = LEVELS.filter((level) => level <= this.#level);
    return {
      profile: this.#profile.name,
      levels: Object.fromEntries(
        asked.map((level) => [level, { matched: this.#matched[level], total: this.#total[level] }]),
      ),
      statistics: this.#statistics ?? { ...this.#vm.mmu.stats },
      mismatches: this.#mismatches,
    };
  }

  #compare(recorded: RecordedOperation): void {
    // The recorder turns its probes off while it changes flags many times in a row.
    const probes = recorded.operation.op !== "bulk-flags";
    this.#sink.clear(({ name, system }) =>
      (levelOfEvent(name) ?? Infinity) <= this.#level && (probes || system !== "probe")
    );
    if (recorded.operation.op === "vm-destroy") this.#statistics = { ...this.#vm.mmu.stats };
    const result = runOperation(this.#vm, recorded.operation);
    const bulk = recorded.operation.op === "bulk-flags" ? recorded.operation : undefined;
    const flags = bulk && this.#vm.memslots[bulk.asId ?? 0].active.byId(bulk.id)?.flags;
    const kernel = showOutcome(recorded.outcome);
    const model = showOutcome(modelOutcome(recorded, result, flags));
    this.#count(1, kernel === model, recorded, recorded.endLine, kernel, model);
    this.#compareEvents(recorded);
  }

  #compareEvents(recorded: RecordedOperation): void {
    const kernel = recorded.events
      .map((line) => comparableFromLine(line, this.#context))
      .filter((event) => event !== undefined && event.level <= this.#level) as Comparable[];
    const model = this.#sink.records
      .map((record) => comparableFromRecord(record, this.#context))
      .filter((event) => event !== undefined && event.level <= this.#level) as Comparable[];
    const pairs = align(kernel.length, model.length, (l, r) => this.#agree(kernel[l], model[r]));
    for (const { left, right } of pairs) {
      const ours = model[right];
      const theirs = kernel[left];
      const either = theirs ?? ours;
      const same = theirs !== undefined && ours !== undefined && this.#bind(theirs, ours);
      this.#count(either.level, same, recorded, theirs?.line ?? recorded.startLine, show(theirs), show(ours));
    }
  }

  #agree(kernel: Comparable, model: Comparable): boolean {
    if (kernel.name !== model.name || kernel.text !== model.text) return false;
    for (let i = 0; i < kernel.frames.length; i++) {
      if (!this.#renaming.canMatch(model.places[i], kernel.frames[i])) return false;
    }
    return true;
  }

  /** Two events that agree bind the frames that they show, for the rest of the recording. */
  #bind(kernel: Comparable, model: Comparable): boolean {
    for (let i = 0; i < kernel.frames.length; i++) {
      if (!this.#renaming.match(model.places[i], kernel.frames[i])) return false;
    }
    return true;
  }

  #count(level: Level, same: boolean, recorded: RecordedOperation, line: number, kernel: string, model: string): void {
    for (const at of LEVELS) {
      if (at < level) continue;
      this.#total[at]++;
      if (same) this.#matched[at]++;
    }
    if (same || this.#mismatches.length >= MAX_MISMATCHES) return;
    const { seq, operation } = recorded;
    this.#mismatches.push({ level, seq, operation: JSON.stringify(operation), line, kernel, model });
  }
}

function show(event: Comparable | undefined): string {
  return event === undefined ? "nothing" : `${event.name}: ${event.whole}`;
}
