import { STRATEGIES } from "@mmu-lab/invalidation";
import { type Profile, Vm, withStrategy } from "@mmu-lab/machine";
import { MEM_LOG_DIRTY_PAGES, type MemoryRegion } from "@mmu-lab/memslots";
import { mmuPageFault, PFERR_WRITE, prepareEntry } from "@mmu-lab/paging";
import { run, Work } from "@mmu-lab/protocol";

/** What the updates of a simulation do: all concern small slots that the guest does not touch. */
export const UPDATE_KINDS: Readonly<Record<"create" | "flags" | "delete", string>> = {
  create: "create a slot each",
  flags: "switch the dirty log of one slot on and off",
  delete: "delete a slot each, which zaps everything under every strategy",
};

/** One of {@linkcode UPDATE_KINDS}. */
export type UpdateKind = keyof typeof UPDATE_KINDS;

/** What happens in the simulation of a VM. Times in cycles. */
export interface VmLoad {
  /** vCPUs, 1 to 256. */
  readonly vcpus: number;
  /** Leaf tables that map the guest's RAM; the tables above them and those of the devices come on top. */
  readonly pages: number;
  /** MMIO accesses of each vCPU. */
  readonly accesses: number;
  /** What a vCPU does beside: from half of this to one and a half, at random, after each access. */
  readonly think: number;
  /** Memslot updates. */
  readonly updates: number;
  /** What they do. */
  readonly updateKind: UpdateKind;
  /** From the end of one update to the next. */
  readonly interval: number;
  /** From the end of one piece of the strategy's background work to the next. */
  readonly sweepInterval: number;
  /** Flag changes that come first, outside of virtual time: they bring the generation near its wrap. */
  readonly updatesBefore: number;
  /** Which of the runs of this kind. */
  readonly seed: number;
}

/** The load unless told otherwise. */
export const DEFAULT_LOAD: VmLoad = {
  vcpus: 8,
  pages: 4096,
  accesses: 256,
  think: 10_000,
  updates: 16,
  updateKind: "create",
  interval: 200_000,
  sweepInterval: 50_000,
  updatesBefore: 0,
  seed: 0,
};

const RAM_SLOT = 1;
const FLAGS_SLOT = 2;
const FIRST_SPARE_SLOT = 3;
const RAM_GPA = 0x1_0000_0000;
/** Off by one page from the guest's address, so that no large page fits. */
const RAM_HVA = 0x7000_0000_1000;
/** What a leaf table maps, in bytes. */
const TABLE_BYTES = 0x20_0000;
const SPARE_GPA = 0x1000_0000;
const DEVICES = 0xd000_0000;

/** Addresses of the device pages that a vCPU accesses: two that all share, two of its own, in leaf tables of their own. */
export function devicePages(vcpu: number): readonly number[] {
  const own = DEVICES + (vcpu + 1) * TABLE_BYTES;
  return [DEVICES, DEVICES + 4096, own, own + 4096];
}

/** Most updates that a kernel has slots for. */
export function mostUpdates({ slotLimits }: Profile, kind: UpdateKind): number {
  return kind === "flags" ? Infinity : slotLimits.userSlots - FIRST_SPARE_SLOT;
}

/** What update number `nth` asks of the kernel, counted from 0; of flag changes, those that came first count too. */
export function updateOf(kind: UpdateKind, nth: number): MemoryRegion {
  return kind === "flags" ? flagsSlot(nth % 2 === 0) : spareSlot(nth, kind === "create");
}

/**
 * Makes a VM with a flat guest that has touched one page in each 2 MiB of its RAM, and all its devices after that, so
 * that their tables head the list of shadow pages, as they do after every update that made them fault again.
 */
export function populatedVm(profile: Profile, load: VmLoad): Vm {
  const vm = slotsOnly(profile, load);
  const first = vm.vcpu(0);
  run(vm.execution, prepareEntry(vm.mmu, first.mmu));
  for (let table = 0; table < load.pages; table++) {
    // The fault handler, not the guest: an access would also make the host page, which weighs as much as the table.
    run(vm.execution, mmuPageFault(vm.mmu, first.mmu, RAM_GPA + table * TABLE_BYTES, PFERR_WRITE));
  }
  touchDevices(vm);
  for (let nth = 0; nth < load.updatesBefore; nth++) {
    must(vm, updateOf("flags", nth));
    vm.sweep();
  }
  if (load.updatesBefore > 0) touchDevices(vm);
  return vm;
}

function touchDevices(vm: Vm): void {
  for (const { index } of vm.vcpus) {
    for (const gpa of devicePages(index)) vm.access(index, "read", gpa, 4);
  }
}

/**
 * How many flag changes must come first so that the generation wraps in the middle of a load. Takes 2^18 updates at most.
 *
 * @throws {RangeError} If the kernel's MMIO sptes store no generation.
 */
export function updatesBeforeWrap(profile: Profile, load: VmLoad): number {
  const vm = slotsOnly(withStrategy(profile, STRATEGIES.generation.create, "generation"), load);
  const { counts } = vm.execution.counters;
  let updates = 0;
  for (; counts[Work.wrapZaps] === 0; updates++) must(vm, updateOf("flags", updates));
  // A delete publishes twice.
  const perUpdate = load.updateKind === "delete" ? 2 : 1;
  return Math.max(0, updates - 1 - perUpdate * Math.floor(load.updates / 2));
}

function slotsOnly(profile: Profile, load: VmLoad): Vm {
  const vm = new Vm(profile, { maxShadowPages: 2 * load.pages + 4 * load.vcpus + 1024 });
  for (let vcpu = 0; vcpu < load.vcpus; vcpu++) vm.createVcpu();
  must(vm, { id: RAM_SLOT, gpa: RAM_GPA, size: load.pages * TABLE_BYTES, flags: 0, userspaceAddr: RAM_HVA });
  must(vm, flagsSlot(false));
  if (load.updateKind === "delete") {
    for (let nth = 0; nth < load.updates; nth++) must(vm, spareSlot(nth, true));
  }
  return vm;
}

function flagsSlot(logged: boolean): MemoryRegion {
  const flags = logged ? MEM_LOG_DIRTY_PAGES : 0;
  return { id: FLAGS_SLOT, gpa: SPARE_GPA - 8192, size: 4096, flags, userspaceAddr: SPARE_GPA - 8192 };
}

function spareSlot(nth: number, exists: boolean): MemoryRegion {
  const gpa = SPARE_GPA + nth * 8192;
  return { id: FIRST_SPARE_SLOT + nth, gpa, size: exists ? 4096 : 0, flags: 0, userspaceAddr: gpa };
}

function must(vm: Vm, region: MemoryRegion): void {
  const result = vm.memslot(region);
  if (result !== 0) throw new Error(`Cannot set up the VM: memslot ${region.id} gives ${result}`);
}
