import type { Profile, Vcpu, Vm } from "@mmu-lab/machine";
import { StateHasher, Work } from "@mmu-lab/protocol";
import type { TraceSink } from "@mmu-lab/tracing";
import {
  type AccessOperation,
  type BulkFlagsOperation,
  dirtyLogToggled,
  type MemslotOperation,
  type Operation,
  RECORDER_USERSPACE,
  runOperation,
  type Scenario,
  vmForScenario,
} from "@mmu-lab/workloads";
import { InputError } from "./input_error.ts";
import { Judge, type StaleAccess } from "./judge.ts";
import type { Counters } from "./measures.ts";

/** How to run a scenario. */
export interface RunScenarioOptions {
  /** Where tracepoints go; nowhere unless told. */
  readonly trace?: TraceSink;
  /** Called now and then with the number of operations done. */
  readonly progress?: (done: number) => void;
  /** Called for a memslot call that the kernel refuses, with its negative errno; what it throws ends the run. */
  readonly refused?: (operation: MemslotOperation, index: number, errno: number, vm: Vm) => void;
}

/** The first access of a run that went the wrong way. */
export interface FirstStale extends StaleAccess {
  /** Index of its operation in the scenario. */
  readonly index: number;
  /** The operation. */
  readonly operation: AccessOperation;
}

/** What a run of a scenario came to. */
export interface ScenarioRun {
  /** What was counted. */
  readonly counters: Counters;
  /** A hash of what came of every access: memory or device, exits to user space, and what was read. */
  readonly outcomes: number;
  /** The first access that went the wrong way, if any did. */
  readonly firstStale?: FirstStale;
}

/** Operations between two calls of {@linkcode RunScenarioOptions.progress}. */
const PROGRESS_STEP = 1024;

/**
 * Runs a scenario straight through on a fresh VM, judges every access, and counts. After each memslot update the
 * strategy may do one piece of its background work. The VM's end is not counted: it zaps everything, whoever races.
 *
 * @param scenario What happens.
 * @param profile The kernel and processor, with its strategy.
 * @param options The rest.
 * @throws {InputError} If an operation makes no sense there: a slot or an address space that does not exist.
 */
export function runScenario(scenario: Scenario, profile: Profile, options: RunScenarioOptions = {}): ScenarioRun {
  const run = new Run(scenario, profile, options);
  for (const [index, operation] of scenario.operations.entries()) {
    if (index % PROGRESS_STEP === 0) options.progress?.(index);
    run.perform(operation, index);
  }
  return run.result();
}

/** One run. */
class Run {
  readonly #vm: Vm;
  readonly #judge: Judge;
  readonly #options: RunScenarioOptions;
  readonly #outcomes = new StateHasher();
  #accesses = 0;
  #mmioAccesses = 0;
  #staleByCache = 0;
  #staleBySpte = 0;
  #firstTouches = 0;
  #worstUpdateUnits = 0;
  #totalUpdateUnits = 0;
  #sweepUnits = 0;
  #firstStale: FirstStale | undefined;
  /** What was counted when the VM came to its end. */
  #final: Counters | undefined;

  constructor(scenario: Scenario, profile: Profile, options: RunScenarioOptions) {
    this.#options = options;
    this.#judge = new Judge(scenario.guest.startsWith("recorder") ? RECORDER_USERSPACE : undefined);
    this.#vm = vmForScenario(scenario, profile, {
      userspace: this.#judge.userspace,
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    });
  }

  perform(operation: Operation, index: number): void {
    switch (operation.op) {
      case "read":
      case "write":
      case "rmw":
        return this.#access(operation, index);
      case "memslot":
        return this.#memslot(operation, index);
      case "bulk-flags":
        for (let i = 0; i < operation.count; i++) this.#toggleDirtyLog(operation, index);
        return;
    }
    if (operation.op === "host-write") this.#judge.beforeHostWrite(this.#vm, operation.hva);
    if (operation.op === "vm-destroy") this.#final = this.#count();
    runOperation(this.#vm, operation);
  }

  result(): ScenarioRun {
    return {
      counters: this.#final ?? this.#count(),
      outcomes: this.#outcomes.value,
      ...(this.#firstStale === undefined ? {} : { firstStale: this.#firstStale }),
    };
  }

  #access(operation: AccessOperation, index: number): void {
    const vm = this.#vm;
    const vcpu: Vcpu = vm.vcpu(operation.vcpu);
    const { counts } = vm.mmu.counters;
    const marked = counts[Work.mmioSptesMarked];
    const refaults = counts[Work.mmioRefaults];
    this.#judge.before(vm, vcpu, operation);
    vm.access(operation.vcpu, operation.op, operation.gva, operation.size, BigInt(operation.value ?? 0));
    const stale = this.#judge.after(vcpu, operation);
    this.#accesses++;
    this.#noteOutcome(vcpu);
    if (vcpu.outcome.kind === "mmio") this.#mmioAccesses++;
    const renewed = counts[Work.mmioRefaults] - refaults;
    this.#firstTouches += Math.max(0, counts[Work.mmioSptesMarked] - marked - renewed);
    if (stale === undefined) return;
    if (stale.byCache) this.#staleByCache++;
    else this.#staleBySpte++;
    this.#firstStale ??= { ...stale, index, operation };
  }

  #noteOutcome({ outcome }: Vcpu): void {
    const { mmioReads, mmioWrites, faultCode, data } = outcome;
    this.#outcomes.add(mmioReads).add(mmioWrites).add(faultCode);
    for (const byte of data) this.#outcomes.add(byte);
  }

  #memslot(operation: MemslotOperation, index: number): void {
    const vm = this.#vm;
    const { counters } = vm.mmu;
    const { asId = 0 } = operation;
    if (asId >= vm.memslots.length) {
      const problem = `operations[${index}].asId is ${asId}, but the kernel has ${vm.memslots.length} of them`;
      throw new InputError(`Cannot run the scenario: ${problem}; write a smaller number`);
    }
    const start = counters.units();
    const ret = vm.memslot(operation);
    const updated = counters.units();
    this.#totalUpdateUnits += updated - start;
    this.#worstUpdateUnits = Math.max(this.#worstUpdateUnits, updated - start);
    if (ret !== 0) return this.#options.refused?.(operation, index, ret, vm);
    vm.sweep();
    this.#sweepUnits += counters.units() - updated;
  }

  #toggleDirtyLog(operation: BulkFlagsOperation, index: number): void {
    const region = dirtyLogToggled(this.#vm, operation);
    if (region === undefined) {
      const problem = `operations[${index}] changes the flags of slot ${operation.id}, which is not there`;
      throw new InputError(`Cannot run the scenario: ${problem}; create it before`);
    }
    this.#memslot({ op: "memslot", ...region }, index);
  }

  #count(): Counters {
    const { counters, lock } = this.#vm.mmu;
    const work = counters.toJSON();
    return {
      accesses: this.#accesses,
      mmioAccesses: this.#mmioAccesses,
      staleAccesses: this.#staleByCache + this.#staleBySpte,
      staleByCache: this.#staleByCache,
      staleBySpte: this.#staleBySpte,
      mmioCacheHits: work.mmioCacheHits,
      mmioFastHits: work.mmioFastHits,
      mmioRefaults: work.mmioRefaults,
      firstTouches: this.#firstTouches,
      memslotUpdates: work.memslotUpdates,
      worstUpdateUnits: this.#worstUpdateUnits,
      totalUpdateUnits: this.#totalUpdateUnits,
      sweepUnits: this.#sweepUnits,
      guestWalks: work.guestWalks,
      gptesRead: work.gptesRead,
      gptesWritten: work.gptesWritten,
      pagesUnsynced: work.pagesUnsynced,
      pagesSynced: work.pagesSynced,
      sptesVisited: work.sptesVisited,
      pagesVisited: work.pagesVisited,
      pagesZapped: work.pagesZapped,
      wrapZaps: work.wrapZaps,
      lockAcquisitions: work.lockAcquisitions,
      lockHoldUnits: lock.heldUnits,
      longestHoldUnits: lock.longestHoldUnits,
      exits: work.exits,
      totalUnits: counters.units(),
    };
  }
}
