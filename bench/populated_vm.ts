import type { Vm, VmOptions } from "@mmu-lab/machine";
import { mmuPageFault, PFERR_WRITE, prepareEntry } from "@mmu-lab/paging";
import { run } from "@mmu-lab/protocol";

/** Guest-physical address of the VM's RAM. */
export const RAM_GPA = 0x1_0000_0000;
/** What one table of level 1 maps. */
export const TABLE_BYTES = 0x200000;
/** Where the devices are, below RAM. */
const MMIO_GPA = 0xc000_0000;

/** Shadow pages of a populated VM that hold MMIO sptes: a device each. */
export const MMIO_TABLES = 16;
/** MMIO pages of each device. */
export const MMIO_PAGES_PER_TABLE = 4;
/** All MMIO pages of a populated VM. */
export const MMIO_PAGES: number = MMIO_TABLES * MMIO_PAGES_PER_TABLE;

/** Host address of RAM: off by one page from the guest's, so that no large page fits (`largePageLimits`). */
const RAM_HVA = 0x7000_0000_1000;
const RAM_SLOT = 1;
/** Slots 0 and 1 are the VM's; those from here on are for updates. */
const FIRST_SPARE_SLOT = 2;
/** Where slots for updates go: 1 MiB each, among the devices and on top of none. */
const SPARE_GPA = 0xe000_0000;
const SPARE_BYTES = 0x100000;

/** Guest-physical address of an MMIO page; the first {@linkcode MMIO_PAGES} are those that a populated VM has touched. */
export function mmioGpa(index: number): number {
  return MMIO_GPA + Math.floor(index / MMIO_PAGES_PER_TABLE) * TABLE_BYTES + (index % MMIO_PAGES_PER_TABLE) * 4096;
}

/** How a VM is to be populated. */
export interface Population {
  /** Shadow pages that the VM ends with, at least 24. */
  readonly pages: number;
  /**
   * `newest`: the guest touched its devices after its RAM, and those tables head the list of pages, as they do after
   * every update that made them fault again. `oldest`: before its RAM.
   */
  readonly mmio: "newest" | "oldest";
}

/**
 * Makes a flat guest with one vCPU, a slot of RAM that no large page may map, and {@linkcode MMIO_PAGES} MMIO pages, and
 * touches every device and one page in each 2 MiB of RAM until the VM has so many shadow pages.
 *
 * @param createVm Makes the VM. @param population How much of it.
 * @returns The VM; its counters are at zero.
 */
export function populatedVm(createVm: (options: VmOptions) => Vm, population: Population): Vm {
  const { pages, mmio } = population;
  const vm = createVm({ maxShadowPages: 2 * pages + 1024 });
  vm.createVcpu();
  must(vm, { id: RAM_SLOT, gpa: RAM_GPA, size: (pages + 1024) * TABLE_BYTES, flags: 0, userspaceAddr: RAM_HVA });
  run(vm.execution, prepareEntry(vm.mmu, vm.vcpu(0).mmu));
  const { pool } = vm.mmu;
  if (mmio === "oldest") touchMmio(vm);
  // Room for the tables of the devices, which all lie in one GiB.
  const ramEnd = mmio === "oldest" ? pages : pages - (MMIO_TABLES + 1);
  for (let table = 0; pool.used < ramEnd; table++) touchRam(vm, table);
  touchMmio(vm);
  vm.execution.counters.reset();
  return vm;
}

/** Reads every MMIO page once. */
export function touchMmio(vm: Vm): void {
  for (let page = 0; page < MMIO_PAGES; page++) vm.access(0, "read", mmioGpa(page), 4);
}

/**
 * Maps the first page of a 2 MiB piece of RAM, as the guest's first write to it would. It calls the fault handler, not
 * the guest: an access would also make the host page, and the host memory would weigh as much as the shadow pages.
 */
export function touchRam(vm: Vm, table: number): void {
  run(vm.execution, mmuPageFault(vm.mmu, vm.vcpu(0).mmu, RAM_GPA + table * TABLE_BYTES, PFERR_WRITE));
}

/**
 * Creates a slot that covers no page the guest has touched: an update under which nothing that is cached becomes wrong.
 *
 * @param nth How many updates the VM has had; each slot has an id and an address of its own.
 */
export function createSpareSlot(vm: Vm, nth: number): void {
  const gpa = SPARE_GPA + nth * SPARE_BYTES;
  must(vm, { id: FIRST_SPARE_SLOT + nth, gpa, size: SPARE_BYTES, flags: 0, userspaceAddr: gpa });
}

function must(vm: Vm, region: Parameters<Vm["memslot"]>[0]): void {
  const result = vm.memslot(region);
  if (result !== 0) throw new Error(`Cannot set up the VM: memslot ${region.id} gives ${result}`);
}
