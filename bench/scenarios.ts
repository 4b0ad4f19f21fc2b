/**
 * The scenarios that the strategies race in, by name: what happens before the clock runs, and what is measured.
 *
 * @module
 */
import { mmioGeneration, wraps } from "@mmu-lab/memslots";
import type { Vm } from "@mmu-lab/machine";
import { createSpareSlot, MMIO_PAGES, mmioGpa, type Population, touchMmio, touchRam } from "./populated_vm.ts";

/** One thing that is measured, under every strategy. */
export interface Scenario {
  /** Its name in tables. */
  readonly name: string;
  /** The VM that it runs on. */
  readonly population: Population;
  /** How many of what the name says one round does. */
  readonly operations: number;
  /** Rounds that a VM may be used for. */
  readonly roundsPerVm: number;
  /** Rounds of a bench that measures it. */
  readonly rounds: number;
  /** Brings the VM to where the measurement starts; round 0 is a new VM's. */
  readonly prepare: (vm: Vm, round: number) => void;
  /** What is measured. */
  readonly measure: (vm: Vm, round: number) => void;
}

const SMALL: Population = { pages: 2 ** 10, mmio: "newest" };
/** Pages that one round of a scenario touches: every MMIO page, or as many pages of RAM. */
const TOUCHES = MMIO_PAGES;

/** All scenarios, in the order of the tables. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "MMIO hit in the vCPU's cache",
    population: SMALL,
    operations: TOUCHES,
    roundsPerVm: Infinity,
    rounds: 2000,
    prepare: (vm) => access(vm, 0),
    measure(vm) {
      for (let i = 0; i < TOUCHES; i++) access(vm, 0);
    },
  },
  {
    name: "MMIO hit by the spte",
    population: SMALL,
    operations: TOUCHES,
    roundsPerVm: Infinity,
    rounds: 2000,
    prepare: nothing,
    measure: touchMmio,
  },
  {
    name: "refault after an update",
    population: SMALL,
    operations: TOUCHES,
    // Fewer than the updates after which the generation goes round, here and below: a wrap is a scenario of its own.
    roundsPerVm: 60,
    rounds: 120,
    prepare: createSpareSlot,
    measure: touchMmio,
  },
  {
    name: "first touch of RAM",
    population: SMALL,
    operations: TOUCHES,
    roundsPerVm: 8,
    rounds: 120,
    prepare: nothing,
    measure(vm, round) {
      for (let i = 0; i < TOUCHES; i++) touchRam(vm, SMALL.pages + round * TOUCHES + i);
    },
  },
  {
    name: "first touch of MMIO",
    population: SMALL,
    operations: TOUCHES,
    roundsPerVm: 60,
    rounds: 120,
    prepare: nothing,
    measure(vm, round) {
      for (let i = 0; i < TOUCHES; i++) access(vm, (round + 1) * TOUCHES + i);
    },
  },
  update("2^10", { pages: 2 ** 10, mmio: "newest" }),
  update("2^13", { pages: 2 ** 13, mmio: "newest" }),
  update("2^16", { pages: 2 ** 16, mmio: "newest" }),
  {
    ...update("2^13", { pages: 2 ** 13, mmio: "oldest" }),
    name: "first update, 2^13 shadow pages, devices touched first",
    roundsPerVm: 1,
    rounds: 10,
  },
  {
    ...update("2^13", { pages: 2 ** 13, mmio: "newest" }),
    name: "update at the wrap, 2^13 shadow pages",
    roundsPerVm: 1,
    rounds: 10,
    prepare: approachWrap,
    measure: (vm) => createSpareSlot(vm, updatesSoFar(vm)),
  },
];

/** An update, the background work having had its turn and the guest having touched its devices since the last one. */
function update(pages: string, population: Population): Scenario {
  return {
    name: `update, ${pages} shadow pages`,
    population,
    operations: 1,
    roundsPerVm: 60,
    rounds: 50,
    prepare(vm, round) {
      if (round > 0) touchMmio(vm);
      vm.sweep();
    },
    measure: createSpareSlot,
  };
}

/** Updates until the next one is that at which the generation goes round. */
function approachWrap(vm: Vm): void {
  const rule = vm.profile.era.mmio!;
  while (!wraps(rule, mmioGeneration(rule, vm.memslots[0].nextGeneration))) {
    createSpareSlot(vm, updatesSoFar(vm));
    vm.sweep();
  }
  touchMmio(vm);
}

/** Slots that updates have created: all but the private one and that of RAM. */
function updatesSoFar(vm: Vm): number {
  return vm.memslots[0].active.size - 2;
}

function access(vm: Vm, mmioPage: number): void {
  vm.access(0, "read", mmioGpa(mmioPage), 4);
}

function nothing(): void {}
