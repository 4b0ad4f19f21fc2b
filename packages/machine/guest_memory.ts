import { type Gfn, markPageDirty } from "@mmu-lab/memslots";
import {
  exchange4,
  exchange8,
  type GuestTables,
  hvaOf,
  isReadOnly,
  READS_GUEST_TABLES,
  WRITES_GUEST_TABLES,
} from "@mmu-lab/paging";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import type { Memslot } from "@mmu-lab/memslots";
import type { Vm } from "./vm.ts";

const NO_LANES = new Int32Array(0);

/** Guest memory as KVM's walker of page tables reaches it: through the memslots of now, in host memory. */
export class GuestMemory implements GuestTables {
  lanes: Int32Array = NO_LANES;
  readonly #vm: Vm;
  readonly #vcpu: number;

  /** @param vcpu The vCPU whose address space counts. */
  constructor(vm: Vm, vcpu: number) {
    this.#vm = vm;
    this.#vcpu = vcpu;
  }

  find(tableLo: number, tableHi: number): number {
    const gfn = pfnOfLanes(tableLo, tableHi);
    const slot = this.#slotOf(gfn);
    if (slot === undefined || slot.invalid) return -1;
    this.#vm.execution.touched |= READS_GUEST_TABLES;
    this.lanes = this.#vm.host.words(this.#vm.host.pfn(hvaOf(slot, gfn)));
    return 0;
  }

  isWritable(tableLo: number, tableHi: number): boolean {
    const slot = this.#slotOf(pfnOfLanes(tableLo, tableHi));
    return slot !== undefined && !isReadOnly(slot);
  }

  compareExchange8(
    tableLo: number,
    tableHi: number,
    index: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
  ): number {
    this.#vm.execution.touched |= WRITES_GUEST_TABLES;
    return exchange8(this, tableLo, tableHi, index, oldLo, oldHi, newLo, newHi);
  }

  compareExchange4(tableLo: number, tableHi: number, index: number, old: number, replacement: number): number {
    this.#vm.execution.touched |= WRITES_GUEST_TABLES;
    return exchange4(this, tableLo, tableHi, index, old, replacement);
  }

  markPageDirty(gfn: Gfn): void {
    const slot = this.#slotOf(gfn);
    if (slot !== undefined) markPageDirty(slot, gfn);
  }

  #slotOf(gfn: Gfn): Memslot | undefined {
    return this.#vm.mmu.slotOf(this.#vm.mmu.vcpus[this.#vcpu], gfn);
  }
}
