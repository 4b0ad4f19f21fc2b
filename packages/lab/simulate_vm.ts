import type { Profile, Vcpu, Vm } from "@mmu-lab/machine";
import { type Protocol, type RandomBelow, seededRandom, type Step, WORK_KINDS, type WorkKind } from "@mmu-lab/protocol";
import {
  type Clock,
  type CostModel,
  delay,
  simulate,
  type SimulationReport,
  type TimedActor,
} from "@mmu-lab/simulator";
import { devicePages, populatedVm, updateOf, type VmLoad } from "./simulate_load.ts";

/** Kinds of operations that are recorded, as keys of `SimulationReport.operations`. */
export const Recorded: { readonly ACCESS: string; readonly DURING_UPDATE: string; readonly UPDATE: string } = {
  /** An MMIO access of a vCPU, from its instruction to its completion by user space. */
  ACCESS: "MMIO access",
  /** Of these, those during which an update was going on, at least for a moment. */
  DURING_UPDATE: "MMIO access during an update",
  /** A memslot ioctl. */
  UPDATE: "memslot update",
};

/** What came of the simulation of a VM. */
export interface VmSimulation {
  /** Latencies, locks, and what each actor did: the vCPUs by number, the updater, the background work if there is any. */
  readonly report: SimulationReport;
  /** Shadow pages when it began. */
  readonly shadowPages: number;
  /** Work done in it. */
  readonly work: Readonly<Record<WorkKind, number>>;
}

/**
 * Simulates a VM in virtual time: vCPUs that access their devices, a thread that changes memslots, and the strategy's
 * background work. Every access goes to a device that no slot ever covers, so nothing is judged here.
 *
 * @param profile The kernel and processor, with its strategy.
 * @param load What happens.
 * @param costs What work costs.
 * @param onProgress Called now and then with the number of accesses done.
 */
export function simulateVm(
  profile: Profile,
  load: VmLoad,
  costs: CostModel,
  onProgress?: (accesses: number) => void,
): VmSimulation {
  const vm = populatedVm(profile, load);
  const shadowPages = vm.mmu.pool.used;
  const before = vm.execution.counters.toJSON();
  const world = new VmInTime(vm, load);
  const report = simulate(world, { costs, onProgress: () => onProgress?.(world.accessesDone) });
  const after = vm.execution.counters.toJSON();
  const work = Object.fromEntries(WORK_KINDS.map(({ name }) => [name, after[name] - before[name]]));
  return { report, shadowPages, work: work as Record<WorkKind, number> };
}

class VmInTime {
  readonly actors: readonly TimedActor[];
  readonly locks: readonly [Vm["slotsLock"], Vm["mmu"]["lock"]];
  readonly execution: Vm["execution"];
  accessesDone = 0;
  readonly #vm: Vm;
  readonly #load: VmLoad;
  #updatesBegun = 0;
  #updatesDone = 0;

  constructor(vm: Vm, load: VmLoad) {
    this.#vm = vm;
    this.#load = load;
    this.execution = vm.execution;
    this.locks = [vm.slotsLock, vm.mmu.lock];
    const seeds = seededRandom(load.seed);
    // Actors have the numbers of their places, and vCPUs must have their own.
    this.actors = [
      ...vm.vcpus.map((vcpu) => {
        const random = seededRandom(seeds(2 ** 32));
        return { name: `vCPU ${vcpu.index}`, start: (clock: Clock) => this.#guest(vcpu, random, clock) };
      }),
      { name: "memslot updates", start: (clock) => this.#updater(clock) },
      ...(vm.mmu.strategy.sweep === undefined
        ? []
        : [{ name: "background work", background: true, start: () => this.#sweeper() }]),
    ];
  }

  *#guest(vcpu: Vcpu, random: RandomBelow, clock: Clock): Protocol<void> {
    const { think, accesses } = this.#load;
    const pages = devicePages(vcpu.index);
    // Not all at once.
    yield delay(random(think + 1));
    for (let access = 0; access < accesses; access++) {
      if (access > 0) yield delay(Math.floor(think / 2) + random(think + 1));
      const gpa = pages[random(pages.length)];
      const doneBefore = this.#updatesDone;
      const begun = clock.now;
      yield* this.#vm.accessProtocol(vcpu, random(2) === 0 ? "read" : "write", gpa, 4);
      const took = clock.now - begun;
      if (vcpu.outcome.kind !== "mmio") throw new Error(`Cannot go on: 0x${gpa.toString(16)} is taken for memory`);
      clock.record(Recorded.ACCESS, took);
      if (this.#updatesBegun > doneBefore) clock.record(Recorded.DURING_UPDATE, took);
      this.accessesDone++;
    }
  }

  *#updater(clock: Clock): Protocol<void> {
    const { updates, updatesBefore, updateKind, interval } = this.#load;
    const first = updateKind === "flags" ? updatesBefore : 0;
    const pause: Step = delay(interval);
    for (let nth = 0; nth < updates; nth++) {
      yield pause;
      const begun = clock.now;
      this.#updatesBegun++;
      const result = yield* this.#vm.memslotProtocol(updateOf(updateKind, first + nth));
      if (result !== 0) throw new Error(`Cannot go on: update ${nth} gives ${result}`);
      this.#updatesDone++;
      clock.record(Recorded.UPDATE, clock.now - begun);
    }
  }

  *#sweeper(): Protocol<void> {
    const { strategy } = this.#vm.mmu;
    const pause: Step = delay(this.#load.sweepInterval);
    for (;;) {
      yield pause;
      yield* strategy.sweep!(this.#vm.control);
    }
  }
}
