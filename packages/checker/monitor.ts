import type { Gfn, MemoryRegion } from "@mmu-lab/memslots";
import { type StateHasher, Work } from "@mmu-lab/protocol";
import type { Vcpu, Vm } from "@mmu-lab/machine";
import { nameOf } from "./_pages.ts";
import { READS_MEMSLOTS, WRITES_MEMSLOTS } from "@mmu-lab/paging";

/**
 * When a memslot change counts as made, for accesses that start later. `returned`: when the ioctl has returned, which is
 * what user space may rely on. `published`: when the new memslots are visible, which is stricter for MMIO; RAM may be
 * used until the ioctl returns in either.
 */
export type Settled = "returned" | "published";

/** What an access may be: bits. */
const RAM = 1;
const MMIO = 2;

/** What a {@linkcode Monitor} allows. */
export interface MonitorOptions {
  /** When a change counts as made. */
  readonly settled: Settled;
  /** Exits that one access may cause while no update runs. */
  readonly exitsPerAccess: number;
  /** The frames that a page may lead to that is accessed: itself, unless the guest has tables of its own. */
  readonly framesOf: (page: number) => readonly Gfn[];
}

/**
 * Watches a VM for accesses that are answered wrongly (facts sheet 5, "suggested abstract state"; S1 of section 11):
 *
 * - **No stale MMIO**: an access is emulated as MMIO only if at some moment of it the gfn had no slot.
 * - **No stale RAM**: an access reaches memory only if at some moment of it the gfn had a slot.
 * - **Progress**: an access ends within a bounded number of exits.
 */
export class Monitor {
  /** What is wrong, once something is. */
  broken: string | undefined;
  readonly #vm: Vm;
  readonly #options: MonitorOptions;
  readonly #gfns: readonly Gfn[];
  /** For each address space and gfn, how many updates that concern it run now. */
  readonly #changing: number[][];
  /** For each vCPU, the place of the gfn that it accesses in `#gfns`, or -1. */
  readonly #accessing: number[] = [];
  /** For each vCPU, the number of its access. */
  readonly #accessNumber: number[] = [];
  /** For each vCPU, what its access may be, by all moments of it so far. */
  readonly #allowed: number[] = [];
  /** For each vCPU, exits of its access since no update runs. */
  readonly #exits: number[] = [];
  /** How the access was answered that ended with the last step: bits, 0 if none ended. */
  #answered = 0;
  #exitsSeen: number;
  /** Updates that run now. */
  #updates = 0;

  /**
   * Begins to watch.
   *
   * @param vm The VM.
   * @param gfns The frames, or linear pages, that are accessed.
   * @param options What is allowed.
   */
  constructor(vm: Vm, gfns: readonly Gfn[], options: MonitorOptions) {
    this.#vm = vm;
    this.#gfns = gfns;
    this.#options = options;
    this.#changing = vm.memslots.map(() => gfns.map(() => 0));
    this.#exitsSeen = vm.mmu.counters.counts[Work.exits];
  }

  /** A vCPU begins its access number `i`. */
  accessBegins(vcpu: Vcpu, i: number, gfn: Gfn): void {
    this.#vm.execution.touched |= READS_MEMSLOTS;
    this.#accessNumber[vcpu.index] = i;
    const at = this.#gfns.indexOf(gfn);
    this.#accessing[vcpu.index] = at;
    this.#allowed[vcpu.index] = this.#now(vcpu.index, at);
    this.#exits[vcpu.index] = 0;
  }

  /** A vCPU has left the guest. */
  #exited(vcpu: number): void {
    this.#vm.execution.touched |= READS_MEMSLOTS;
    if (this.#updates > 0) return;
    if (++this.#exits[vcpu] > this.#options.exitsPerAccess) {
      this.broken ??= `progress: vCPU ${vcpu} left the guest ${this.#exits[vcpu]} times for one access, in peace`;
    }
  }

  /** A vCPU's access is over; {@linkcode Monitor.look} then judges how it was answered. */
  accessEnds(vcpu: Vcpu): void {
    const { mmioReads, mmioWrites, deviceAccesses, ramAccesses } = vcpu.outcome;
    this.#answered = (mmioReads + mmioWrites + deviceAccesses > 0 ? MMIO : 0) | (ramAccesses > 0 ? RAM : 0);
  }

  /** The access of the vCPU that ran must have been answered in a way that was right at some moment of it. */
  #judge(vcpu: number): void {
    this.#vm.execution.touched |= READS_MEMSLOTS;
    const wrong = this.#answered & ~this.#allowed[vcpu];
    const where = `vCPU ${vcpu}, ${nameOf(this.#gfns[this.#accessing[vcpu]])}`;
    if (wrong & MMIO) this.broken ??= `stale MMIO: ${where} was handled as MMIO, but there was a slot all the time`;
    if (wrong & RAM) this.broken ??= `stale RAM: ${where} was handled as RAM, but there was no slot all the time`;
    this.#answered = 0;
    this.#accessing[vcpu] = -1;
    this.#allowed[vcpu] = 0;
    this.#exits[vcpu] = 0;
  }

  /** A memslot ioctl begins; `before` is where the slot lay. */
  updateBegins(region: MemoryRegion, before: MemoryRegion | undefined): void {
    this.#vm.execution.touched |= WRITES_MEMSLOTS;
    this.#updates++;
    this.#exits.fill(0);
    this.#mark(region, 1);
    if (before !== undefined) this.#mark(before, 1);
  }

  /** A memslot ioctl has returned. */
  updateEnds(region: MemoryRegion, before: MemoryRegion | undefined): void {
    this.#vm.execution.touched |= WRITES_MEMSLOTS;
    this.#updates--;
    this.#mark(region, -1);
    if (before !== undefined) this.#mark(before, -1);
  }

  /** Looks at the world after a step: what is so now is allowed to accesses that are under way. */
  look(): void {
    const exits = this.#vm.mmu.counters.counts[Work.exits];
    if (exits !== this.#exitsSeen) this.#exited(this.#vm.execution.actor);
    this.#exitsSeen = exits;
    if (this.#answered !== 0) this.#judge(this.#vm.execution.actor);
    for (let vcpu = 0; vcpu < this.#accessing.length; vcpu++) {
      const at = this.#accessing[vcpu];
      if (at !== undefined && at >= 0) this.#allowed[vcpu] |= this.#now(vcpu, at);
    }
  }

  /** Folds what later verdicts depend on, but for the vCPUs, into a hash. */
  hashInto(hasher: StateHasher): void {
    for (const running of this.#changing.flat()) hasher.add(running);
    hasher.add(this.#updates);
  }

  /** Folds what later verdicts on a vCPU depend on into a hash. */
  hashVcpu(vcpu: Vcpu, hasher: StateHasher): void {
    const { index } = vcpu;
    hasher.add(this.#accessNumber[index] ?? -1).add(this.#accessing[index] ?? -1);
    hasher.add(this.#allowed[index] ?? 0).add(this.#exits[index] ?? 0);
  }

  #now(vcpu: number, at: number): number {
    const { asId } = this.#vm.vcpu(vcpu).mmu;
    let visible = 0;
    for (const gfn of this.#options.framesOf(this.#gfns[at])) {
      const slot = this.#vm.memslots[asId].active.find(gfn);
      visible |= slot === undefined || slot.invalid ? MMIO : RAM;
    }
    if (this.#changing[asId][at] === 0) return visible;
    return this.#options.settled === "returned" ? RAM | MMIO : visible | RAM;
  }

  #mark({ gpa, size, asId = 0 }: MemoryRegion, by: number): void {
    this.#gfns.forEach((page, at) => {
      const concerns = this.#options.framesOf(page).some((gfn) => gfn * 4096 >= gpa && gfn * 4096 < gpa + size);
      if (concerns) this.#changing[asId][at] += by;
    });
  }
}
