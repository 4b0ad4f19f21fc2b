import type { AccessKind, AccessSize, HostRegion } from "@mmu-lab/machine";
import { Random } from "./_random.ts";
import type { MemslotOperation, Operation, Scenario } from "./scenario.ts";
import type { WorkloadOptions } from "./workload.ts";

/** Size of a page in bytes. */
export const PAGE = 0x1000;
/** What one leaf table maps, in bytes. */
export const LEAF_TABLE_SPAN = 0x20_0000;
/** Where devices lie, as a guest-physical address: below 4 GiB, and never in a slot that stays. */
export const DEVICES = 0xd000_0000;

/** Low, to leave room for terabytes below 2^47. */
const HVA = 0x1000_0000_0000;
/** Slots do not touch in host memory, so that nothing depends on their order. */
const GAP = 16 * LEAF_TABLE_SPAN;

/** Puts a scenario together: keeps slots and their memory, and lets vCPUs take turns. */
export class ScenarioBuilder {
  /** Random numbers of the workload's seed. */
  readonly random: Random;
  readonly #vcpus: number;
  readonly #regions: HostRegion[] = [];
  readonly #operations: Operation[] = [];
  readonly #slots: Map<number, MemslotOperation> = new Map();
  #turn = 0;
  #hva = HVA;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ pages, vcpus, seed }: WorkloadOptions) {
    atLeast("pages", pages, 1);
    atLeast("vcpus", vcpus, 1);
    atLeast("seed", seed, 0);
    this.random = new Random(seed);
    this.#vcpus = vcpus;
    for (let vcpu = 0; vcpu < vcpus; vcpu++) this.#operations.push({ op: "vcpu-create", vcpu });
  }

  /** Numbers of the slots that exist. */
  get ids(): readonly number[] {
    return [...this.#slots.keys()];
  }

  /** An access by the next vCPU in turn. */
  access(op: AccessKind, gva: number, size: AccessSize = 4, vcpu: number = this.#turn++ % this.#vcpus): void {
    const value = op === "read" ? {} : { value: "0x" + (this.random.below(2 ** Math.min(8 * size, 32))).toString(16) };
    this.#operations.push({ op, vcpu, gva, size, ...value });
  }

  /** A vCPU at random. */
  anyVcpu(): number {
    return this.random.below(this.#vcpus);
  }

  /**
   * Creates a slot with memory of its own.
   *
   * @param hvaOffset Where its memory starts in a 2 MiB page; like the offset of `gpa`, unless told. Bytes.
   */
  create(id: number, gpa: number, size: number, flags: number = 0, hvaOffset: number = gpa % LEAF_TABLE_SPAN): void {
    const hva = this.#hva + hvaOffset;
    this.#hva = Math.ceil((hva + size + GAP) / LEAF_TABLE_SPAN) * LEAF_TABLE_SPAN;
    this.#regions.push({ hva, size });
    this.#set({ op: "memslot", id, gpa, size, flags, userspaceAddr: hva });
  }

  /** Moves a slot that exists; the new place must be free. */
  move(id: number, gpa: number): void {
    this.#set({ ...this.slot(id), gpa });
  }

  /** Changes the flags of a slot that exists. */
  flags(id: number, flags: number): void {
    this.#set({ ...this.slot(id), flags });
  }

  /** Deletes a slot that exists. */
  delete(id: number): void {
    this.call({ ...this.slot(id), size: 0, flags: 0, userspaceAddr: 0 });
    this.#slots.delete(id);
  }

  /** A call that will be refused, or changes nothing: it is not noted. */
  call(operation: MemslotOperation): void {
    this.#operations.push(operation);
  }

  /** Any other operation. */
  push(operation: Operation): void {
    this.#operations.push(operation);
  }

  /** A slot that exists. */
  slot(id: number): MemslotOperation {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new RangeError(`Cannot find slot ${id}: it does not exist`);
    return slot;
  }

  /** Whether a range of guest memory is free of slots, but for one of them. */
  isFree(gpa: number, size: number, butFor?: number): boolean {
    return [...this.#slots.values()].every((slot) =>
      slot.id === butFor || gpa >= slot.gpa + slot.size || slot.gpa >= gpa + size
    );
  }

  /**
   * The scenario.
   *
   * @param cr3 Of a guest with page tables, which operations so far have put into its memory.
   */
  build(name: string, description: string, maxShadowPages?: number, cr3?: number): Scenario {
    return {
      version: 1,
      name,
      description,
      ...(cr3 === undefined ? { guest: "flat" } : { guest: "paged", cr3 }),
      hostMemory: this.#regions,
      ...(maxShadowPages === undefined ? {} : { maxShadowPages }),
      operations: this.#operations,
    };
  }

  #set(operation: MemslotOperation): void {
    this.call(operation);
    this.#slots.set(operation.id, operation);
  }
}

function atLeast(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`Cannot generate a workload with ${name} ${value}: expected an integer of at least ${least}`);
}
