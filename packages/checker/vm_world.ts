import type { World } from "@mmu-lab/explorer";
import { hashVcpu, hashVm, type Profile, type Vcpu, Vm } from "@mmu-lab/machine";
import type { MemoryRegion, MemslotsView } from "@mmu-lab/memslots";
import { auditBooks } from "@mmu-lab/paging";
import { point, type Protocol, run, type StateHasher, type Step, Work } from "@mmu-lab/protocol";
import { GuestTablesOf, PAGED_GUEST } from "./_guest_tables.ts";
import { addressOf, enterFor, isOfL2, nameOf, pageOf } from "./_pages.ts";
import type { CheckAccess, CheckScenario, GuestMapping } from "./check_scenario.ts";
import { Monitor, type Settled } from "./monitor.ts";
import { describeVm } from "./describe_vm.ts";

/** Options of {@linkcode vmWorld}. */
export interface VmWorldOptions {
  /** When a memslot change counts as made; `returned` unless told. */
  readonly settled?: Settled;
  /** Exits that an access may cause while nobody changes anything; 8 unless told, one a table level and some to spare. */
  readonly exitsPerAccess?: number;
}

const NEXT_ACCESS: Step = point("next access");
const NEXT_UPDATE: Step = point("next ioctl");
const REWRITE: Step = point("the program rewrites an entry of the guest's page table");
const NEXT_SWEEP: Step = point("next piece of background work");

/** Present, writable, user, accessed, dirty. */
const IDENTITY_BITS = 0x67;

/** Exits that one access may cause while no update runs: one a table level, and some for requests of others. */
const EXITS_PER_ACCESS = 8;

/** Shadow pages that a small world may have: enough that none is ever reclaimed. */
const MAX_SHADOW_PAGES = 64;

/**
 * Makes a small world of a kernel and a scenario, for the explorer: vCPUs that access memory, a thread that changes
 * memslots, and, if the scenario has any, background work of the strategy. Its properties are those of
 * {@linkcode Monitor}, the kernel's own warnings, and at the end: the books balance, each vCPU sees what is there now,
 * and the second access to a page without slot is answered without a slow fault (S1, S2 and L1 of facts sheet 11).
 *
 * @param profile The kernel, with its strategy.
 * @param scenario What is set up, and what happens at the same time.
 * @param options When a change counts as made.
 */
export function vmWorld(profile: Profile, scenario: CheckScenario, options: VmWorldOptions = {}): World {
  return new VmWorld(profile, scenario, options);
}

class VmWorld implements World {
  readonly actors: World["actors"];
  readonly execution: World["execution"];
  readonly locks: World["locks"];
  readonly interchangeable: readonly number[];
  readonly #vm: Vm;
  readonly #monitor: Monitor;
  readonly #gfns: number[];
  readonly #endless: boolean;
  /** The address spaces that vCPUs are ever in. */
  readonly #spaces: readonly MemslotsView[];
  /** The frames that a page may lead to that is accessed. */
  readonly #framesOf: (page: number) => readonly number[];

  constructor(profile: Profile, scenario: CheckScenario, options: VmWorldOptions) {
    const { tables = tablesFor(profile, scenario), rewrites = [], ept = [] } = scenario;
    const guest = tables.length > 0 ? { guest: PAGED_GUEST } : {};
    const vm = new Vm(profile, { maxShadowPages: MAX_SHADOW_PAGES, ...guest });
    this.#vm = vm;
    this.execution = vm.execution;
    this.locks = [vm.slotsLock, vm.mmu.lock];
    for (let i = 0; i < scenario.vcpus.length; i++) vm.createVcpu();
    const guestTables = tables.length > 0
      ? new GuestTablesOf(vm, tables)
      : ept.length > 0
      ? new GuestTablesOf(vm, ept, true)
      : undefined;
    const inSmm = scenario.vcpus.flat().some(({ smm }) => smm) ||
      scenario.prelude.some((step) => step.op === "access" && step.smm);
    if (inSmm) guestTables?.shareWithSmm();
    this.#spaces = inSmm ? vm.memslots : [vm.memslots[0]];
    for (const step of scenario.prelude) {
      if (step.op === "access") {
        if (step.smm) vm.setSmm(step.vcpu, true);
        run(vm.execution, enterFor(vm, vm.vcpu(step.vcpu), pageOf(step)), step.vcpu);
        vm.access(step.vcpu, step.kind, step.gfn * 4096, 4);
      } else if (vm.memslot(step) !== 0) throw new RangeError(`Cannot set up '${scenario.name}': a memslot is refused`);
    }
    this.#gfns = [...new Set(scenario.vcpus.flat().map(pageOf))];
    const entries = [...tables, ...rewrites];
    // Nobody flushes what the program rewrites: the processor may go by either entry, for as long as it likes.
    const framesOf = this.#framesOf = (page) =>
      isOfL2(page)
        ? ept.filter((entry) => entry.page * 4096 === addressOf(page)).map(({ gfn }) => gfn)
        : tables.length === 0
        ? [page]
        : entries.filter((entry) => entry.page === page).map(({ gfn }) => gfn);
    const monitor = this.#monitor = new Monitor(vm, this.#gfns, {
      settled: options.settled ?? "returned",
      exitsPerAccess: options.exitsPerAccess ?? EXITS_PER_ACCESS,
      framesOf,
    });
    const same = scenario.vcpus.every((accesses) => JSON.stringify(accesses) === JSON.stringify(scenario.vcpus[0]));
    this.interchangeable = same ? scenario.vcpus.map((_, i) => i) : [];
    const { sweeps = 0, endless = false } = scenario;
    this.#endless = endless;
    this.actors = [
      ...scenario.vcpus.map((accesses, i) => ({
        name: `vCPU ${i}`,
        endless,
        start: () => vcpuActor(vm, monitor, vm.vcpu(i), accesses, endless),
      })),
      ...(scenario.updates.length > 0
        ? [{ name: "memslot ioctl", start: () => updateActor(vm, monitor, scenario.updates) }]
        : []),
      ...(rewrites.length > 0 && guestTables !== undefined
        ? [{ name: "program", start: () => programActor(guestTables, rewrites) }]
        : []),
      ...(sweeps > 0 && vm.mmu.strategy.sweep !== undefined
        ? [{ name: "background", start: () => sweepActor(vm, sweeps) }]
        : []),
    ];
  }

  hashInto(hasher: StateHasher): void {
    hashVm(this.#vm, hasher);
    this.#monitor.hashInto(hasher);
  }

  hashActor(actor: number, hasher: StateHasher): void {
    if (actor >= this.#vm.vcpus.length) return;
    const vcpu = this.#vm.vcpu(actor);
    hashVcpu(this.#vm, vcpu, hasher, this.#spaces);
    this.#monitor.hashVcpu(vcpu, hasher);
  }

  saysWhatItTouches(actor: number): boolean {
    // Circles are looked for step by step: none may be left out.
    if (this.#endless) return false;
    // Updates and background work may change what a strategy remembers for itself, and nobody can tell when.
    return actor < this.#vm.vcpus.length || this.#vm.mmu.strategy.hashInto === undefined;
  }

  get properties(): readonly string[] {
    const atTheEnd = this.#endless ? [] : ["what is there is seen", "no second slow fault", "no emulation of memory"];
    return ["no stale MMIO", "no stale RAM", "progress", "no kernel warning", "books balance", ...atTheEnd];
  }

  violation(): string | undefined {
    this.#monitor.look();
    const { warnings } = this.#vm.mmu;
    return this.#monitor.broken ?? (warnings.length > 0 ? `kernel warning: ${warnings[0]}` : undefined);
  }

  finalViolation(): string | undefined {
    const [finding] = auditBooks(this.#vm.mmu);
    if (finding !== undefined) return `books: ${finding}`;
    // A vCPU that goes on for ever is in the middle of something.
    if (this.#endless) return undefined;
    for (const vcpu of this.#vm.vcpus) {
      for (const gfn of this.#gfns) {
        const wrong = this.#probe(vcpu, gfn);
        if (wrong !== undefined) return wrong;
      }
    }
    return undefined;
  }

  describe(): string {
    return describeVm(this.#vm, this.#gfns.flatMap((page) => isOfL2(page) ? this.#framesOf(page) : page));
  }

  /** Two more accesses with nothing else running: the first must be right, the second must not need a slow fault. */
  #probe(vcpu: Vcpu, page: number): string | undefined {
    const vm = this.#vm;
    run(vm.execution, enterFor(vm, vcpu, page), vcpu.index);
    const { active } = vm.memslots[vcpu.mmu.asId];
    const expected = this.#framesOf(page).map((frame) => active.find(frame) === undefined ? "mmio" : "ram");
    const name = `vCPU ${vcpu.index}, ${nameOf(page)}`;
    const kind = vm.access(vcpu.index, "read", addressOf(page), 4).kind;
    if (!expected.some((right) => right === kind)) {
      return `stale ${kind.toUpperCase()}: at the end ${name} is handled as ${kind}, not ${expected.join(" or ")}`;
    }
    const { counts } = vm.mmu.counters;
    const slow = counts[Work.slowFaults];
    const emulated = counts[Work.emulations];
    vm.access(vcpu.index, "read", addressOf(page), 4);
    if (counts[Work.slowFaults] !== slow && vm.mmu.layout.cachingEnabled) {
      return `liveness: at the end the second access of ${name} still takes a slow fault`;
    }
    if (kind === "ram" && counts[Work.emulations] !== emulated) {
      return `liveness: at the end the second access of ${name} is still emulated, though it is to memory`;
    }
    return undefined;
  }
}

/** Where KVM shadows the guest's tables, a scenario that has none gets some that map each page to itself. */
function tablesFor(profile: Profile, scenario: CheckScenario): GuestMapping[] {
  if (!profile.backend().shadowsGuestTables) return [];
  const accesses = [...scenario.vcpus.flat(), ...scenario.prelude.filter((step) => step.op === "access")];
  return [...new Set(accesses.map(({ gfn }) => gfn))].map((gfn) => ({ page: gfn, gfn, bits: IDENTITY_BITS }));
}

function* vcpuActor(
  vm: Vm,
  monitor: Monitor,
  vcpu: Vcpu,
  accesses: readonly CheckAccess[],
  endless: boolean,
): Protocol<void> {
  for (let i = 0; i < accesses.length; i = endless ? (i + 1) % accesses.length : i + 1) {
    const { kind, gfn, smm = false } = accesses[i];
    if (i > 0) yield NEXT_ACCESS;
    if (smm !== (vcpu.mmu.asId > 0)) {
      yield* vm.smmProtocol(vcpu, smm);
      yield NEXT_ACCESS;
    }
    const page = pageOf(accesses[i]);
    if (yield* enterFor(vm, vcpu, page)) yield NEXT_ACCESS;
    monitor.accessBegins(vcpu, i, page);
    yield* vm.accessProtocol(vcpu, kind, gfn * 4096, 4);
    monitor.accessEnds(vcpu);
    // Nothing of the access lives on: states that differ only in its history are one.
    vcpu.outcome.clear();
    if (!endless) vcpu.goesOn();
  }
}

function* updateActor(vm: Vm, monitor: Monitor, updates: readonly MemoryRegion[]): Protocol<void> {
  for (const [i, region] of updates.entries()) {
    if (i > 0) yield NEXT_UPDATE;
    const old = vm.memslots[region.asId ?? 0].active.byId(region.id);
    const before = old && { ...region, gpa: old.baseGfn * 4096, size: old.npages * 4096 };
    monitor.updateBegins(region, before);
    yield* vm.memslotProtocol(region);
    monitor.updateEnds(region, before);
  }
}

function* programActor(tables: GuestTablesOf, rewrites: readonly GuestMapping[]): Protocol<void> {
  for (const mapping of rewrites) {
    yield REWRITE;
    tables.write(mapping);
  }
}

function* sweepActor(vm: Vm, sweeps: number): Protocol<void> {
  for (let i = 0; i < sweeps; i++) {
    if (i > 0) yield NEXT_SWEEP;
    yield* vm.mmu.strategy.sweep!(vm.control);
  }
}
